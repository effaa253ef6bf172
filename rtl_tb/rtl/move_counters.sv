// Nested counters, one for each dimension: the index that follows.
//
// Meaning: `next` is the index after `index` in C order: the innermost counter (the last one) goes on;
// one that stands at its `lasts` begins again with 0, and the one outside of it goes on. `ending` is 1 at
// the last index of all, where next is 0 everywhere.
//
// Corners: lasts[d] is the size of dimension d less 1: a size of 1 has a counter that stays 0.
//
// Dimension 0 is the outermost and has the lowest COUNT_W bits.
module move_counters #(
    parameter int COUNT_W    = 16,
    parameter int DIMENSIONS = 6
) (
    input  logic [DIMENSIONS*COUNT_W-1:0] index,
    input  logic [DIMENSIONS*COUNT_W-1:0] lasts,
    output logic [DIMENSIONS*COUNT_W-1:0] next,
    output logic                          ending
);
  always_comb begin
    next   = index;
    ending = 1'b1;
    for (int d = DIMENSIONS - 1; d >= 0; d--)
      if (ending) begin
        ending = index[d*COUNT_W+:COUNT_W] == lasts[d*COUNT_W+:COUNT_W];
        next[d*COUNT_W+:COUNT_W] = ending ? COUNT_W'(0) : index[d*COUNT_W+:COUNT_W] + COUNT_W'(1);
      end
  end
endmodule

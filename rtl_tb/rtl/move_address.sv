// The address of one code: where an element of the result lies in the operand.
//
// Integer formula: address = (base + sum over d of index[d] * stride[d]) mod 2**ADDRESS_W.
//
// Corners: strides are taken mod 2**ADDRESS_W, so that one below zero (a step backward) is its two's
// complement, and a stride of 0 reads the same code again. An address that lies in the memory is
// exact, whatever the terms are.
//
// Dimension 0 is the outermost and has the lowest ADDRESS_W bits of `index` and `strides`.
module move_address #(
    parameter int ADDRESS_W  = 16,
    parameter int DIMENSIONS = 6
) (
    input  logic [           ADDRESS_W-1:0] base,
    input  logic [DIMENSIONS*ADDRESS_W-1:0] index,
    input  logic [DIMENSIONS*ADDRESS_W-1:0] strides,
    output logic [           ADDRESS_W-1:0] address
);
  always_comb begin
    address = base;
    for (int d = 0; d < DIMENSIONS; d++)
      address = address + index[d*ADDRESS_W+:ADDRESS_W] * strides[d*ADDRESS_W+:ADDRESS_W];
  end
endmodule

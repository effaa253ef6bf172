// One digit of a square root: the floor of a root is made of them, from the highest down. Pure.
//
// Integer formula: with what is left of n so far, rest = n - root**2, and the next two bits of n,
//   digit = 1 if (2 * root + 1)**2 <= 4 * n + bits, else 0
//   root_next = 2 * root + digit;  rest_next = 4 * n + bits - root_next**2
// which needs no square: (2 * root + 1)**2 = 4 * root**2 + (4 * root + 1).
//
// Corners: 0 <= rest <= 2 * root, that is, root is the floor; then the same holds of root_next and
// rest_next. So ROOT_BITS steps from root = rest = 0 on, with the bits of n two by two, give the floor
// of the root of an n of 2 * ROOT_BITS bits. Before each step root < 2**(ROOT_BITS - 1).
module root_digit #(
    parameter int ROOT_BITS = 16
) (
    input  logic [ROOT_BITS-1:0] root,
    input  logic [  ROOT_BITS:0] rest,
    input  logic [          1:0] bits,
    output logic [ROOT_BITS-1:0] root_next,
    output logic [  ROOT_BITS:0] rest_next
);
  wire [ROOT_BITS+2:0] left = {rest, bits};
  wire [ROOT_BITS+2:0] part = {1'b0, root, 2'b01};
  wire digit = left >= part;

  assign root_next = ROOT_BITS'({root, digit});
  assign rest_next = (ROOT_BITS + 1)'(digit ? left - part : left);
endmodule

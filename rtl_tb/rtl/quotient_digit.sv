// One digit of a quotient: the floor of a quotient is made of them, from the highest down. Pure.
//
// Integer formula: with the remainder so far, rest = a - quotient * divisor, and the next bit of a,
//   digit = 1 if (2 * quotient + 1) * divisor <= 2 * a + next_bit, else 0
//   rest_next = 2 * a + next_bit - (2 * quotient + digit) * divisor
// which needs no product: 2 * rest + next_bit is compared with the divisor.
//
// Corners: 0 <= rest < divisor, that is, quotient is the floor; then the same holds of rest_next. So
// a step for each bit of a from rest = 0 on gives the digits of floor(a / divisor).
module quotient_digit #(
    parameter int W = 16
) (
    input  logic [W-1:0] rest,
    input  logic         next_bit,
    input  logic [W-1:0] divisor,
    output logic         digit,
    output logic [W-1:0] rest_next
);
  wire [W:0] left = {rest, next_bit};
  wire [W:0] part = {1'b0, divisor};

  assign digit = left >= part;
  assign rest_next = W'(digit ? left - part : left);
endmodule

`include "sub/zero.txt"

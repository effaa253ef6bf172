"""Operators between dynamically quantized products, as float32 calls in a stated order.

| module     | operators                                                 | calls                 |
|------------|-----------------------------------------------------------|-----------------------|
| arithmetic | add, sub, rsub, mul, neg, div by 2**k, pow 2 and 3        | float_add, float_mul  |
| functions  | relu, gelu, tanh                                          | float_function        |
| rows       | softmax of the last dimension, layer_norm                 | float_softmax, ...    |
| matmul     | mm, bmm, matmul of two activations                        | float_matmul          |
| moves      | reshape, permute, slice, expand, contiguous, ...          | reshape, permute, ... |
"""

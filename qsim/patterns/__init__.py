"""Patterns: which operators of a graph mean what to the datapath, one family a file.

| pattern          | operators                                  | primitives                  |
|------------------|--------------------------------------------|-----------------------------|
| conv             | conv1d, conv2d, conv3d, convolution        | correlation, bias_add*, ... |
| conv_transpose   | conv_transpose1d/2d/3d                     | transposed_correlation, ... |
| linear           | linear                                     | correlation, bias_add*, ... |
| addmm            | addmm of constants and an activation       | correlation, bias_add, ...  |
| matmul           | mm, bmm, matmul                            | matmul or correlation, ...  |
| add, sub, mul    | the same; shapes broadcast, constants too  | add, sub, mul               |
| divide           | div by a number above 0                    | requantize                  |
| minimum, maximum | of two tensors, one may be a constant      | minimum, maximum            |
| concat           | cat, not along the batch                   | concat, requantize*         |
| relu             | relu, relu6, hardtanh, clamp, ...          | clamp                       |
| sigmoid, tanh    | the same                                   | lookup or interpolate       |
| unary            | gelu, silu, sin, floor, leaky_relu, ...    | lookup or interpolate       |
| prelu            | prelu                                      | prelu                       |
| arithmetic       | gelu, silu, exp, reciprocal, rsqrt         | integer_function            |
| masked_softmax   | softmax, and a mask of run time before it  | masked_softmax, requantize* |
| layer_norm, ...  | layer_norm, rms_norm, group_norm           | the same                    |
| composition      | several element-wise operators, one tensor | lookup or interpolate       |
| rotary           | several that turn pairs of channels        | rotary                      |
| softmax          | softmax                                    | softmax, requantize*        |
| max_pool         | max_pool, adaptive_max_pool                | max_pool, reshape*          |
| avg_pool         | avg_pool, adaptive_avg_pool, spatial mean  | avg_pool, reshape*          |
| window_sum       | avg_pool with a divisor of its own         | avg_pool, ..., reshape*     |
| mean             | mean, sum; not over the batch              | mean, requantize*           |
| resize           | upsample nearest, linear, bilinear         | resize                      |
| pad              | pad: constant, reflect, replicate          | pad                         |
| argmax           | argmax, max where only positions are read  | argmax, reshape*            |
| embedding        | embedding of a constant table              | embedding                   |
| lstm_cell        | lstm_cell: a step of an LSTM               | correlation, mul, lookup... |
| gru_cell         | gru_cell                                   | the same                    |
| rnn_cell         | rnn_tanh_cell, rnn_relu_cell               | the same                    |
| recurrent        | lstm, gru, rnn: unrolled before, or not    | the same                    |
| cell_state       | what else reads an LSTM cell's state       | requantize                  |
| reshape          | flatten, view, reshape, (un)squeeze        | reshape                     |
| permute          | permute, transpose, t                      | permute                     |
| move             | slice, index, flip, repeat, expand, ...    | strided_slice, gather, ...  |
| identity         | contiguous, clone, detach, dropout in eval | none                        |

``*``: where it is needed; ``...``: requantize. What is quantized at run time has calls of its own
(``dynamic``). A pattern says everything about its family: what the
quantizer must know (operands, constants, sharing) and how the lowering writes the calls.
``qsim.registry.patterns`` keeps them in order; registered ones come before the built-in ones.
"""

from qsim.registry import Pattern, Weights, needs

__all__ = ["Pattern", "Weights", "needs"]

"""The words of a descriptor: one row of a command stream's table, 64 int64 each.

Addresses of tensors are bytes from the start of the arena; those of parameters are bytes from the
start of the packed constants; the workspace is each thread's own. At the end: the words of a frame,
which tells the loop what to execute.
"""

from __future__ import annotations

from typing import Final

WORDS: Final = 64
OP: Final = 0
(
    COPY,
    PRODUCTS,
    DEPTHWISE,
    UNARY,
    BINARY,
    LINE,
    MAX_POOL,
    AVG_POOL,
    GATHER,
    WIDE,
    SUM,
    MATMUL,
    RESCALE,
    COMBINE,
    REDUCE,
    SOFTMAX_FIXED,
    SOFTMAX_FLOAT,
    SOFTMAX_TABLE,
    ARGMAX,
    RESIZE,
    MIN_MAX,
    CHOOSE,
    QUANTIZE,
    DEQUANTIZE,
    DEQUANTIZE_SUMS,
    LINEAR_GROUPS,
    CACHE_WRITE,
    SOFTMAX_IBERT,
    EMBEDDING,
    NORM,
    ROTARY,
    FLOAT_PAIR,
    FLOAT_FUNCTION,
    FLOAT_SOFTMAX,
    FLOAT_LAYER_NORM,
    FLOAT_MATMUL,
) = range(36)
NAMES: Final = (
    "copy", "products", "depthwise", "unary", "binary", "line", "max_pool", "avg_pool", "gather",
    "wide", "sum", "matmul", "rescale", "combine", "reduce", "softmax_fixed", "softmax_float",
    "softmax_table", "argmax", "resize", "min_max", "choose", "quantize", "dequantize",
    "dequantize_sums", "linear_groups", "cache_write", "softmax_ibert", "embedding", "norm",
    "rotary", "float_pair", "float_function", "float_softmax", "float_layer_norm", "float_matmul",
)  # fmt: skip

# Of most: operand, result, a second operand, elements.
X, Y, X2, SIZE = 1, 2, 3, 4
# Of those with windows: images, input and output sizes.
N, H, W, C, OH, OW, O = range(4, 11)  # noqa: E741  # the letters of [N, O, OH, OW]

# copy: bytes of an element; what X and Y are; sizes, outermost first, and the distances in X and in
# Y, in elements, that go with them; bytes from X and from Y to the first elements. Distances may be
# 0 or negative. MAPPED: elements are bytes, replaced by their entries of TABLE.
ITEM, X_PLACE, Y_PLACE, D0, S0, T0, X_START, Y_START, MAPPED = 5, 6, 7, 8, 13, 18, 23, 24, 25
DIMENSIONS: Final = 5
# What X and Y of a copy are: an arena's address, the number of an argument, a constants' address.
IN_ARENA, IN_ARGUMENT, IN_CONSTANTS = range(3)
# gather: D0 lines of D0 + 1 positions of D0 + 2 elements; S0: elements between two lines of X;
# TABLE: int64, the first element of each position in its line.

# cache_write: D0 lines of D0 + 1 rows of D0 + 4 elements; X2 has D0 + 2 new rows for each, X3 has
# D0 + 3 positions of kind ZERO_KIND. MODE: they count modulo the rows.

# products and depthwise: the padded input of a band of output rows is copied into the workspace.
TOP, LEFT = 11, 12  # padding before
PAD = 13  # the code in the padding
ROW_STRIDE, COLUMN_STRIDE = 14, 15  # input rows and columns between two outputs
ROW_STEP, COLUMN_STEP = 16, 17  # input rows and columns between two that are copied
REACH = 18  # copied rows under one output row
COLUMNS = 19  # copied columns
OUT_ROW, OUT_COLUMN = 20, 21  # copied rows, copied columns between two outputs
ROWS, IMAGES, BANDS = 22, 23, 24  # of one band; IMAGES > 1: whole images
SIGNED, FLIP = 25, 26  # codes of X: UINT8, INT8 or INT16; what bytes are xored with
# The last five: of rows only; float32 as the result of a choice only.
UINT8, INT8, INT16, UINT16, INT32, UINT32, INT64, FLOAT32 = range(8)
KIND = 27
WEIGHTS, OFFSETS, STEPS, INIT = 28, 29, 30, 31
BLOCKS, BLOCK_COUNT = 32, 33  # int64 [blocks, 3]: channels, first column, first byte of weights
GROUPS, GROUP_OUTPUTS, GROUP_COLUMNS, GROUP_WEIGHTS, GROUP_CODES = 34, 35, 36, 37, 38
TABLE, MODE, PITCH = 39, 40, 41  # of requantize; MODE < 0: none of the modes for bytes
BASES, SUMS, TAIL = 42, 43, 44  # bytes from the start of the workspace
MATRIX_STEPS, PANEL = 46, 47  # steps, from the first one, of the matrix unit; bytes as BASES
GATHERED_STEPS = 49  # MATRIX_STEPS of a block that is wide enough for copies into the panel
UNIT = 48  # bytes of a result: 1 and 2 are codes, 4 the sums themselves
# Addresses of machine code of this process: the command's, that of the end of its sums, and those
# of what reads and writes rows.
CALL, FINISH, LOAD, STORE = 62, 63, 60, 61
SHARES = 45  # parts of the output channels that several threads may take of one band
BYTES_KIND, PAIRS_KIND, WORDS_KIND = range(3)

# Of float32 values: [N, C] of memory, along C, with parameters of run time for each row or for all.
# X2 has PARAMETERS scales, X3, a third operand, as many zero points of kind ZERO_KIND.
# PARAMETERS_PLACE: SCALES_FIXED and ZEROS_FIXED, added: which lie among the constants.
SCALES_FIXED, ZEROS_FIXED = 1, 2
X3, PARAMETERS, PARAMETERS_PLACE, ZERO_KIND = 50, 51, 52, 55
# products and dequantize_sums: WAY is 1 + one of PLAIN, TWICE, ONCE of ``floats``, 0: no floats;
# TABLE has O, rounded up to PITCH, float32 scales, int32 or int64 sums of weights, float32 biases;
# ROWS_FLOATS: bytes from the start of the workspace, float32 scales and int32 zero points of rows.
WAY, ROWS_FLOATS = 53, 54
# linear_groups: PARTS groups of STEPS steps, for which PART_STEPS are packed; WAY and END_WAY as in
# ``group_floats``; TABLE has [PARTS, PITCH] float32 scales and int32 sums of weights, float32
# biases; INIT: zeros; TOTALS: bytes from the start of the workspace.
# SUMS_APART: bytes between the sums of two groups.
# POINTED: as TOTALS; [PARTS, IMAGES] rows of 64 bytes, a group's codes and behind them four times
# the zero point, whose share a last step of weights takes off; 0: there is none.
PARTS, PART_STEPS, TOTALS, END_WAY, SUMS_APART, POINTED = 56, 57, 58, 59, 36, 37
# choose: MODE is the formula's number; TABLE: int64 least, largest and middle code, whether it is
# symmetric, and the bits of the least scale.
# quantize: MODE is one of FUSED, ADDED, EVEN, AWAY of ``floats``; LEAST and MOST are codes.
# dequantize: MODE: the difference is exact.

# wide: bytes of an operand's element and of a result's, 1 or 2; TABLE has an entry for each code.
X_ITEM, Y_ITEM = 5, 6
# sum: of int16; TABLE, int64: what is added to each operand, the shift of both, zero point, least
# and largest code, then three rows of ``fixed_rows``.
SUM_HEADER, SUM_ROW = 6, 7
# matmul: [N, H, W] by [N, W, O]; LEFT and PAD are the zero points, SIGNED and FLIP the kinds. Where
# LEFT_KIND or PAD_KIND is not 0, it is 1 + that of a zero point of run time, at X3 or X4.
LEFT_KIND, PAD_KIND, X4 = 56, 57, 58
# unary and binary: the table; line: float32 factors and limits in the table.
# pools: starts of windows, taps and distances are in int64 tables.
ROW_STARTS, ROW_TAPS, ROW_DILATION, COLUMN_STARTS, COLUMN_TAPS, COLUMN_DILATION = range(11, 17)
COUNTS, LOW, HIGH, OFFSET, INCLUDE_PAD, ROUNDING, BORDER = range(17, 24)
CODE_BYTES = 24  # of pools: 1, or 2 with a sign

# Of rows: [N, C, O] of memory, along C. Kinds of elements are those of SIGNED. ZERO: what is
# taken from X first, ZERO2 from X2; LEFT_SHIFTs: their shifts in a combine that ADDS.
X_KIND, X2_KIND, Y_KIND, ZERO, ZERO2, LEFT_SHIFT, LEFT_SHIFT2, ADDS = range(11, 19)
# rescale, combine and reduce: MODE numbers the end (``ends``), TABLE has its bounds and parameters.
# softmax: TABLE has the exponentials, SECOND the inverses, or the bits of a float32 scale.
# CHANNELS: those of the parameters.
LEAST, MOST, SECOND, OUT_BITS, CHANNELS = 19, 20, 21, 22, 23
# softmax_ibert: NUDGE is added before the last shift, DIFFERENCES are the entries of TABLE.
# softmax of any kind: MASK is SHOWN_ZERO where the zeros of X2 are shown, SHOWN_REST where others
# are, 0 where there is no mask. HIDDEN is the code of what is not shown. X3 has, of ALLOWED_KIND,
# zeros for what never is; -1: there is none.
NUDGE, DIFFERENCES, MASK, HIDDEN, ALLOWED_KIND = 24, 25, 26, 27, 28
SHOWN_ZERO, SHOWN_REST = 1, 2
# norm: N rows of C codes; SECOND has epsilon, fraction, root_bits, guard, then int64 weights and
# biases of each of the GROUPS. CENTRED: the mean is taken off.
CENTRED = 24
# rotary: N rows of C codes; X2 has C / 2 cosines for each, X3 as many sines, of kinds X2_KIND and
# ZERO_KIND; ACROSS elements lie between the two of a pair, ALONG between two pairs.
ACROSS, ALONG = 24, 25
# embedding: N positions of kind X_KIND; TABLE has C rows of ITEM bytes.
# float_pair: as of a copy, D0 and on are sizes, S0 and T0 the distances in X and in X2, which lie
# at X_PLACE and X2_PLACE; MODE: 0 adds, 1 multiplies. float_function: MODE is its number.
# float_softmax and float_layer_norm: N rows of C in LANES; TABLE has eps, a float32, in 64 bytes,
# then C weights and C biases where there are WEIGHTED. LEVELS: of its stack.
# float_matmul: D0 matrices [D0 + 1, D0 + 2] by [D0 + 2, D0 + 3], X and X2 as of a float_pair;
# SECOND: int64, for each its first element in X and in X2; MODE: fused.
X2_PLACE, LANES, LEVELS, WEIGHTED = 7, 24, 25, 26
FROM_END = 19  # argmax: of equal codes the last counts
# resize: N pictures [H, W, C] to [OH, OW, C]; int64 tables of taps, four words each.
ROW_TABLE, COLUMN_TABLE, FRACTION = 19, 20, 21
# A frame, int64: addresses of the table, of the arena, of the packed constants, of the thread's own
# workspace and of the counters; the command to begin with and the one to stop before; the thread's
# number, and how many execute this range; then the addresses of the inputs and outputs.
FRAME_TABLE, FRAME_ARENA, FRAME_CONSTANTS, FRAME_WORK, FRAME_COUNTERS = range(5)
FRAME_FIRST, FRAME_LAST, FRAME_THREAD, FRAME_THREADS, FRAME_ARGUMENTS = range(5, 10)
# What a command that refuses a value leaves in its counter: the loop stops behind it.
REFUSED: Final = -1

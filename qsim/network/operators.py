"""The operators of torch that a file may name: those that exported graphs contain.

Each is functional (it writes into none of its arguments), deterministic, and returns nothing but
what it computed: no random numbers, no memory that nobody wrote. Left out besides: what loops
over a number that no size of a tensor bounds (``diff``, ``combinations``), and views of memory
past their tensor (``as_strided``). One that has a mode with random numbers, or one that writes
its running statistics, is here for its other mode: see ``require_deterministic``.

A name is ``operator.overload``; without an overload it is ``default``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ATEN: Final = """
__and__.Scalar __and__.Tensor __or__.Scalar __or__.Tensor __xor__.Scalar __xor__.Tensor
__lshift__.Scalar __lshift__.Tensor __rshift__.Scalar __rshift__.Tensor
_adaptive_avg_pool2d _adaptive_avg_pool3d _log_softmax _native_batch_norm_legit_no_training
_safe_softmax _softmax _to_copy _unsafe_view _upsample_bicubic2d_aa _upsample_bicubic2d_aa.vec
_upsample_bilinear2d_aa _upsample_bilinear2d_aa.vec _upsample_nearest_exact1d
_upsample_nearest_exact1d.vec _upsample_nearest_exact2d _upsample_nearest_exact2d.vec
_upsample_nearest_exact3d _upsample_nearest_exact3d.vec abs absolute acos acosh
adaptive_avg_pool1d
adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d
adaptive_max_pool3d add.Scalar add.Tensor addbmm addcdiv addcmul addmm addmm.dtype addmv addr
adjoint affine_grid_generator alias alias_copy all all.dim all.dims alpha_dropout amax amin
aminmax angle any any.dim any.dims arange arange.start arange.start_step arccos arccosh arcsin
arcsinh arctan arctan2 arctanh argmax
argmin argsort argsort.stable argwhere asin asinh atan atan2 atanh atleast_1d
atleast_1d.Sequence atleast_2d atleast_2d.Sequence atleast_3d atleast_3d.Sequence avg_pool1d
avg_pool2d avg_pool3d baddbmm baddbmm.dtype batch_norm bilinear bitwise_and.Scalar
bitwise_and.Scalar_Tensor bitwise_and.Tensor bitwise_left_shift.Scalar_Tensor
bitwise_left_shift.Tensor bitwise_left_shift.Tensor_Scalar bitwise_not bitwise_or.Scalar
bitwise_or.Scalar_Tensor bitwise_or.Tensor bitwise_right_shift.Scalar_Tensor
bitwise_right_shift.Tensor bitwise_right_shift.Tensor_Scalar bitwise_xor.Scalar
bitwise_xor.Scalar_Tensor bitwise_xor.Tensor block_diag bmm bmm.dtype broadcast_tensors
broadcast_to bucketize.Scalar bucketize.Tensor cat cdist ceil celu chain_matmul channel_shuffle
chunk clamp clamp.Tensor clamp_max clamp_max.Tensor clamp_min clamp_min.Tensor clip clip.Tensor
clone col2im column_stack complex concat concatenate conj conj_physical constant_pad_nd
contiguous conv1d conv1d.padding conv2d conv2d.padding conv3d conv3d.padding conv_transpose1d
conv_transpose2d.input conv_transpose3d.input convolution copy copysign.Scalar copysign.Tensor
cos cosh cosine_similarity count_nonzero count_nonzero.dim_IntList cross cummax cummin cumprod
cumsum deg2rad det detach detach_copy diag diag_embed diagflat diagonal diagonal_copy
diagonal_scatter digamma div.Scalar div.Scalar_mode div.Tensor div.Tensor_mode divide.Scalar
divide.Scalar_mode divide.Tensor divide.Tensor_mode dot dropout dstack einsum elu embedding
embedding_bag embedding_bag.padding_idx eq.Scalar eq.Tensor erf erfc erfinv exp exp2 expand
expand_as expand_copy expm1 eye eye.m fake_quantize_per_channel_affine
fake_quantize_per_tensor_affine
fake_quantize_per_tensor_affine.tensor_qparams feature_alpha_dropout feature_dropout fft_fft
fft_fft2 fft_fftn fft_fftshift fft_hfft fft_ifft fft_ifft2 fft_ifftn fft_ifftshift fft_ihfft
fft_irfft fft_irfft2 fft_irfftn fft_rfft fft_rfft2 fft_rfftn fill.Scalar fill.Tensor fix
flatten.using_ints flip fliplr flipud float_power.Scalar float_power.Tensor_Scalar
float_power.Tensor_Tensor floor floor_divide floor_divide.Scalar fmax fmin fmod.Scalar
fmod.Tensor frac frobenius_norm.dim full full_like gather gcd ge.Scalar ge.Tensor gelu ger glu
greater.Scalar greater.Tensor greater_equal.Scalar greater_equal.Tensor grid_sampler
grid_sampler_2d grid_sampler_3d group_norm gru.data gru.input gru_cell gt.Scalar gt.Tensor
hardshrink hardsigmoid hardswish hardtanh heaviside histc hstack hypot i0 igamma igammac im2col
imag index.Tensor index_add index_copy index_fill.int_Scalar index_fill.int_Tensor index_put
index_reduce index_select inner instance_norm inverse isclose isfinite isin.Scalar_Tensor
isin.Tensor_Scalar isin.Tensor_Tensor isinf isnan isneginf isposinf isreal istft item kron
kthvalue layer_norm lcm ldexp.Tensor le.Scalar le.Tensor leaky_relu lerp.Scalar lerp.Tensor
less.Scalar less.Tensor less_equal.Scalar less_equal.Tensor lgamma lift lift_fresh
lift_fresh_copy linalg_cholesky linalg_cross linalg_det linalg_diagonal linalg_inv linalg_matmul
linalg_eigvalsh linalg_qr linalg_solve_triangular linalg_svdvals frexp.Tensor nextafter
huber_loss l1_loss mse_loss smooth_l1_loss trapezoid.dx trapezoid.x
linalg_matrix_norm linalg_matrix_norm.str_ord linalg_matrix_power linalg_multi_dot linalg_norm
linalg_norm.ord_str linalg_solve linalg_vecdot linalg_vector_norm linear linspace log log10 log1p
log2
log_sigmoid log_softmax.int logaddexp logaddexp2 logcumsumexp logical_and logical_not logical_or
logical_xor logit logsumexp lstm.data lstm.input lstm_cell lt.Scalar lt.Tensor mH mT
masked_fill.Scalar masked_fill.Tensor masked_scatter masked_select matmul matrix_H matrix_power
max max.dim max.other max_pool1d max_pool1d_with_indices max_pool2d max_pool2d_with_indices
max_pool3d max_pool3d_with_indices max_unpool2d max_unpool3d maximum mean mean.dim median
median.dim meshgrid meshgrid.indexing min min.dim min.other minimum mish mm mm.dtype mode
moveaxis.int moveaxis.intlist movedim.int movedim.intlist msort mul.Scalar mul.Tensor
multiply.Scalar multiply.Tensor mv nan_to_num nanmean nanmedian nanmedian.dim nansum narrow
narrow.Tensor narrow_copy native_batch_norm native_channel_shuffle native_group_norm
native_layer_norm ne.Scalar
ne.Tensor neg negative new_full new_ones new_zeros nonzero norm.Scalar norm.ScalarOpt_dim
norm.ScalarOpt_dim_dtype norm.ScalarOpt_dtype not_equal.Scalar not_equal.Tensor numel numpy_T
one_hot ones ones_like outer pad pairwise_distance permute permute_copy pixel_shuffle
pixel_unshuffle
polar positive pow.Scalar pow.Tensor_Scalar pow.Tensor_Tensor prelu prod prod.dim_int put
quantile quantile.scalar rad2deg ravel real reciprocal reflection_pad1d reflection_pad2d
reflection_pad3d relu relu6 remainder.Scalar remainder.Scalar_Tensor remainder.Tensor renorm
repeat repeat_interleave.Tensor repeat_interleave.self_Tensor repeat_interleave.self_int
replication_pad1d replication_pad2d replication_pad3d reshape reshape_as resolve_conj
resolve_neg rms_norm rnn_relu.data rnn_relu.input rnn_relu_cell rnn_tanh.data rnn_tanh.input
rnn_tanh_cell roll rot90 round round.decimals row_stack rrelu rsqrt rsub.Scalar rsub.Tensor
scalar_tensor
scaled_dot_product_attention scatter.reduce scatter.src scatter.value scatter.value_reduce
scatter_add scatter_reduce.two searchsorted.Scalar searchsorted.Tensor select.int
select_copy.int select_scatter selu sgn sigmoid sign signbit silu sin sinc sinh slice.Tensor
slice_copy.Tensor slice_scatter softmax.int softplus softshrink sort sort.stable special_digamma
special_entr special_erf special_erfc special_erfinv special_exp2 special_expit special_expm1
special_i0 special_i0e special_log1p special_log_softmax special_logit special_logsumexp
special_ndtr special_round special_sinc special_softmax special_xlog1py
special_xlog1py.other_scalar special_xlog1py.self_scalar special_xlogy
special_xlogy.other_scalar special_xlogy.self_scalar split.Tensor split.sizes split_copy.Tensor
split_with_sizes split_with_sizes_copy sqrt square squeeze squeeze.dim squeeze.dims squeeze_copy
squeeze_copy.dim squeeze_copy.dims stack std std.correction std.dim std_mean std_mean.correction
std_mean.dim stft stft.center sub.Scalar sub.Tensor subtract.Scalar subtract.Tensor sum
sum.dim_IntList swapaxes swapdims sym_numel sym_size.int t t_copy take take_along_dim tan tanh
tensor_split.indices tensor_split.sections tensordot threshold tile to.device to.dtype
to.dtype_layout to.other topk trace transpose.int transpose_copy.int tril triu
true_divide.Scalar true_divide.Tensor trunc type_as unbind.int unbind_copy.int unflatten.int
unfold unfold_copy unique_consecutive unique_dim unsafe_chunk unsafe_split.Tensor
unsafe_split_with_sizes unsqueeze unsqueeze_copy upsample_bicubic2d upsample_bicubic2d.vec
upsample_bilinear2d upsample_bilinear2d.vec upsample_linear1d upsample_linear1d.vec
upsample_nearest1d upsample_nearest1d.vec upsample_nearest2d upsample_nearest2d.vec
upsample_nearest3d upsample_nearest3d.vec upsample_trilinear3d upsample_trilinear3d.vec var
var.correction var.dim var_mean var_mean.correction var_mean.dim vdot view view.dtype view_as
view_as_complex view_as_complex_copy view_as_real view_as_real_copy view_copy view_copy.dtype
vstack where where.Scalar where.ScalarOther where.ScalarSelf where.self xlogy.Scalar_Other
xlogy.Scalar_Self xlogy.Tensor zero zeros zeros_like
"""
_QUANTIZED_DECOMPOSED: Final = """
choose_qparams.tensor choose_qparams_per_token choose_qparams_per_token_asymmetric
choose_qparams_symmetric.tensor convert_element_type.no_fuse dequantize_per_channel
dequantize_per_channel_group dequantize_per_tensor dequantize_per_tensor.tensor
dequantize_per_tensor.tensor2 dequantize_per_token fake_quant_per_channel quantize_per_channel
quantize_per_channel_group quantize_per_tensor quantize_per_tensor.tensor
quantize_per_tensor.tensor2 quantize_per_token
"""
_MODES: Final = ("train", "training", "use_input_stats")
_NORMS: Final = ("aten.batch_norm.", "aten.native_batch_norm.")
_STATISTICS: Final = ("running_mean", "running_var")


def _names(namespace: str, text: str) -> frozenset[str]:
    words = (word if "." in word else f"{word}.default" for word in text.split())
    return frozenset(f"{namespace}.{word}" for word in words)


ALLOWED: Final = _names("aten", _ATEN) | _names("quantized_decomposed", _QUANTIZED_DECOMPOSED)


def require_deterministic(name: str, arguments: Mapping[str, Any]) -> None:
    """Refuse the modes of an operator that draw random numbers or write running statistics.

    Args:
        name: of the operator.
        arguments: as a file states them, by the names of the operator's schema.

    Raises:
        ModelError: it runs in such a mode.
    """
    probability = arguments.get("p", arguments.get("dropout"))
    for mode in _MODES:
        if arguments.get(mode, False) is False or probability == 0:
            continue
        keeps = [each for each in _STATISTICS if arguments.get(each) is not None]
        normalizes = mode == "use_input_stats" or name.startswith(_NORMS)
        if keeps or not normalizes:
            raise ModelError(
                f"a host operator must compute the same every time; {name} with {mode} does not",
                accepted=f"{mode} = false",
            )
    if arguments.get("dropout_p", 0) != 0:
        raise ModelError.of(
            f"a host operator must compute the same every time: {name} with dropout_p",
            arguments["dropout_p"],
            "dropout_p = 0",
        )

"""What the entries of PyTorch's operator database are: used in ordinary training code, the rest, or left out here.

An entry is listed by its name, which stands for all its variants, or by name and variant where these differ.
"""

from __future__ import annotations

from collections.abc import Iterable

# what networks, their training loops and the code around them call
TRAINING = {
    "arithmetic": """
        add sub mul div true_divide floor_divide remainder fmod pow neg abs sign reciprocal square sqrt rsqrt
        exp expm1 log log2 log10 log1p sin cos tan asin acos atan atan2 tanh ceil floor round trunc frac clamp
        clamp_min clamp_max lerp addcmul addcdiv maximum minimum max.binary min.binary sigmoid logit erf
        nan_to_num __radd__ __rsub__ __rmul__ __rdiv__ __rpow__ __rmatmul__
    """,
    "comparison and logic": """
        eq ne lt le gt ge isclose allclose equal isfinite isinf isnan logical_and logical_or logical_not where
    """,
    "reductions and scans": """
        sum mean prod std var amax amin argmax argmin max.reduction_with_dim max.reduction_no_dim
        min.reduction_with_dim min.reduction_no_dim all any median norm norm.fro norm.inf logsumexp cumsum
        cumprod count_nonzero diff
    """,
    "sorting": "sort argsort topk unique searchsorted bucketize bincount",
    "matrix products": "matmul mm bmm mv dot outer addmm baddbmm einsum tensordot nn.functional.linear cdist",
    "shape": """
        view view_as reshape reshape_as flatten permute transpose t T mT movedim squeeze unsqueeze expand
        expand_as broadcast_to broadcast_tensors repeat tile cat stack hstack vstack split chunk unbind narrow
        select flip roll tril triu diag diagonal trace meshgrid repeat_interleave contiguous clone unfold
    """,
    "indexing": """
        __getitem__ gather scatter scatter_add index_select index_add index_put take_along_dim masked_fill
        masked_select nonzero nn.functional.one_hot nn.functional.embedding fill zero_ tril_indices
        triu_indices
    """,
    "creation and conversion": """
        arange linspace eye ones zeros full empty ones_like zeros_like full_like empty_like new_zeros new_ones
        new_full new_empty item to bool double float half int long
    """,
    "random draws": "randn randn_like rand_like randint randint_like normal bernoulli multinomial uniform",
    "complex numbers": "polar view_as_real view_as_complex",
    "activations": """
        nn.functional.relu nn.functional.relu6 nn.functional.leaky_relu nn.functional.prelu nn.functional.elu
        nn.functional.celu nn.functional.selu nn.functional.gelu nn.functional.silu nn.functional.mish
        nn.functional.glu nn.functional.hardswish nn.functional.hardsigmoid nn.functional.hardtanh
        nn.functional.hardshrink nn.functional.softshrink nn.functional.tanhshrink nn.functional.softplus
        nn.functional.softsign nn.functional.logsigmoid softmax log_softmax nn.functional.softmin
        nn.functional.dropout nn.functional.dropout2d nn.functional.dropout3d nn.functional.alpha_dropout
    """,
    "losses": """
        nn.functional.cross_entropy nn.functional.nll_loss nn.functional.mse_loss nn.functional.l1_loss
        nn.functional.smooth_l1_loss nn.functional.huber_loss nn.functional.binary_cross_entropy
        nn.functional.binary_cross_entropy_with_logits nn.functional.kl_div nn.functional.poisson_nll_loss
        nn.functional.gaussian_nll_loss nn.functional.cosine_embedding_loss nn.functional.hinge_embedding_loss
        nn.functional.margin_ranking_loss nn.functional.multi_margin_loss
        nn.functional.multilabel_soft_margin_loss nn.functional.soft_margin_loss
        nn.functional.triplet_margin_loss nn.functional.cosine_similarity nn.functional.pairwise_distance
    """,
    "normalisation and attention": """
        nn.functional.batch_norm nn.functional.layer_norm nn.functional.group_norm nn.functional.instance_norm
        nn.functional.rms_norm nn.functional.local_response_norm nn.functional.normalize
        nn.functional.scaled_dot_product_attention nn.functional.multi_head_attention_forward
    """,
    "convolution and pooling": """
        nn.functional.conv1d nn.functional.conv2d nn.functional.conv3d nn.functional.conv_transpose1d
        nn.functional.conv_transpose2d nn.functional.conv_transpose3d nn.functional.max_pool1d
        nn.functional.max_pool2d nn.functional.max_pool3d nn.functional.avg_pool1d nn.functional.avg_pool2d
        nn.functional.avg_pool3d nn.functional.adaptive_avg_pool1d nn.functional.adaptive_avg_pool2d
        nn.functional.adaptive_avg_pool3d nn.functional.adaptive_max_pool1d nn.functional.adaptive_max_pool2d
        nn.functional.adaptive_max_pool3d nn.functional.unfold nn.functional.pad nn.functional.interpolate
        nn.functional.pixel_shuffle nn.functional.pixel_unshuffle nn.functional.grid_sample
    """,
    "linear algebra": """
        linalg.inv linalg.solve linalg.det linalg.slogdet linalg.cholesky linalg.qr linalg.svd linalg.eigh
        linalg.pinv linalg.lstsq linalg.matrix_power linalg.norm linalg.vector_norm linalg.matrix_norm
        linalg.vecdot
    """,
    "Fourier": "fft.fft fft.ifft fft.rfft fft.irfft fft.fftshift fft.ifftshift",
}

# what else makes sense on an engine of arrays
REST = {
    "arithmetic": """
        logaddexp2 copysign fmax fmin gcd lcm heaviside sinc sgn signbit deg2rad rad2deg ldexp frexp nextafter
        isposinf isneginf isreal gradient float_power hypot xlogy sinh cosh asinh acosh atanh positive rsub
        __rmod__ exp2 logaddexp
    """,
    "special functions": """
        erfinv erfc digamma lgamma i0 igamma igammac mvlgamma polygamma special.polygamma special.i0e
        special.i1 special.i1e special.ndtr special.ndtri special.log_ndtr special.erfcx special.entr
        special.xlog1py special.zeta special.airy_ai special.bessel_j0 special.bessel_j1 special.bessel_y0
        special.bessel_y1 special.modified_bessel_i0 special.modified_bessel_i1 special.modified_bessel_k0
        special.modified_bessel_k1 special.scaled_modified_bessel_k0 special.scaled_modified_bessel_k1
        special.spherical_bessel_j0 special.chebyshev_polynomial_t special.chebyshev_polynomial_u
        special.chebyshev_polynomial_v special.chebyshev_polynomial_w special.hermite_polynomial_h
        special.hermite_polynomial_he special.laguerre_polynomial_l special.legendre_polynomial_p
        special.shifted_chebyshev_polynomial_t special.shifted_chebyshev_polynomial_u
        special.shifted_chebyshev_polynomial_v special.shifted_chebyshev_polynomial_w
    """,
    "comparison and logic": """
        logical_xor bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift isin
        __rand__ __ror__ __rxor__
    """,
    "reductions and scans": "aminmax quantile nansum nanmean logcumsumexp cummax cummin dist std_mean var_mean",
    "sorting": "histc msort kthvalue unique_consecutive",
    "statistics": """
        nanmedian nanquantile mode cov corrcoef histogram histogramdd trapz trapezoid cumulative_trapezoid
        renorm nn.functional.pdist
    """,
    "matrix products": "vdot addmv addbmm addr kron nn.functional.bilinear cross inner",
    "shape": """
        sum_to_size hsplit vsplit dsplit split_with_sizes diagonal_scatter select_scatter slice_scatter
        as_strided_scatter resize_ resize_as_ nn.functional.channel_shuffle unravel_index H mH ravel fliplr
        flipud rot90 atleast_1d atleast_2d atleast_3d block_diag cartesian_prod combinations as_strided dstack
        column_stack diagflat diag_embed tensor_split broadcast_shapes unflatten
    """,
    "indexing": """
        index_reduce take put index_copy index_fill argwhere masked_scatter scatter_reduce
        nn.functional.embedding_bag
    """,
    "creation and conversion": """
        empty_strided empty_permuted new_empty_strided logspace scalar_tensor cfloat cdouble char short byte
    """,
    "random draws": "cauchy geometric log_normal exponential",
    "windows": """
        signal.windows.bartlett signal.windows.blackman signal.windows.cosine signal.windows.exponential
        signal.windows.gaussian signal.windows.general_cosine signal.windows.general_hamming
        signal.windows.hamming signal.windows.hann signal.windows.kaiser signal.windows.nuttall
    """,
    "complex numbers": "real imag angle conj complex resolve_conj resolve_neg conj_physical",
    "networks": """
        nn.functional.linear_cross_entropy nn.functional.max_unpool1d nn.functional.max_unpool3d
        nn.functional.fractional_max_pool2d nn.functional.fractional_max_pool3d
        nn.functional.upsample_bilinear nn.functional.upsample_nearest constant_pad_nd grid_sampler_2d
        grid_sampler_3d nn.functional.feature_alpha_dropout nn.functional.threshold nn.functional.rrelu
        nn.functional.ctc_loss nn.functional.triplet_margin_with_distance_loss
        nn.functional.multilabel_margin_loss nn.functional.max_unpool2d
    """,
    "linear algebra": """
        qr svd norm.nuc pinverse matrix_exp cholesky_inverse cholesky_solve triangular_solve lu lu_solve
        lu_unpack linalg.lu linalg.lu_factor linalg.lu_factor_ex linalg.lu_solve linalg.cholesky_ex
        linalg.inv_ex linalg.solve_ex linalg.cond linalg.eig linalg.eigvals linalg.householder_product
        linalg.vander linalg.tensorinv linalg.tensorsolve linalg.pinv.singular geqrf ormqr svd_lowrank
        pca_lowrank linalg.svdvals linalg.eigvalsh linalg.pinv.hermitian linalg.cross linalg.diagonal
        linalg.multi_dot linalg.matrix_rank linalg.solve_triangular logdet cholesky
    """,
    "Fourier": """
        fft.hfft fft.hfft2 fft.hfftn fft.ihfft fft.ihfft2 fft.ihfftn fft.rfft2 fft.rfftn fft.irfft2 fft.irfftn
        stft istft fft.fft2 fft.ifft2 fft.fftn fft.ifftn
    """,
}

LEFT_OUT = {
    "kernels for CUDA alone": """
        jiterator_unary jiterator_binary jiterator_4inputs_with_extra_args jiterator_binary_return_by_ref
        jiterator_2inputs_2outputs bmm.triton_optimized nn.functional.batch_norm.without_cudnn
    """,
    "8-bit floating point": "torch._scaled_mm torch._scaled_mm_v2",
    "a dtype that NumPy does not have": "bfloat16 chalf",
    "sparse tensors: COO has tests of its own, other layouts are not there": "sparse.sampled_addmm sparse.mm.reduce to_sparse",
    "the prototype of masked reductions, written by hand with where()": """
        masked.sum masked.prod masked.cumsum masked.cumprod masked.amax masked.amin masked.argmax masked.argmin
        masked.mean masked.median masked.norm masked.var masked.std masked.softmax masked.log_softmax masked.softmin
        masked.normalize masked.logaddexp masked.logsumexp
    """,
    "copying forms of views, for PyTorch's compiler": """
        alias_copy as_strided_copy diagonal_copy expand_copy narrow_copy permute_copy split_with_sizes_copy squeeze_copy
        t_copy transpose_copy unbind_copy unfold_copy unsqueeze_copy view_copy
    """,
    "internals behind a public function, with other arguments for each backend": """
        native_batch_norm native_group_norm native_layer_norm _native_batch_norm_legit _batch_norm_with_update
        torch.ops.aten._safe_softmax.default torch.ops.aten._flash_attention_forward
        torch.ops.aten._efficient_attention_forward _softmax_backward_data native_dropout_backward
        max_pool2d_with_indices_backward _upsample_bilinear2d_aa _segment_reduce _unsafe_masked_index
        _unsafe_masked_index_put_accumulate _chunk_cat unsafe_chunk unsafe_split slice hash_tensor addmm.decomposed
    """,
    "results of fixed size, for PyTorch's compiler": "nonzero_static",
    "LAPACK's symmetric indefinite factorisation, which NumPy does not reach": """
        linalg.ldl_factor linalg.ldl_factor_ex linalg.ldl_solve
    """,
}

# results are random or uninitialised: only structure, shapes and dtypes are compared
RANDOM = """
    bernoulli cauchy exponential geometric log_normal multinomial normal normal.in_place normal.number_mean uniform
    rand_like randn randn_like randint randint_like empty empty_like empty_permuted empty_strided new_empty
    new_empty_strided resize_ resize_as_ nn.functional.dropout nn.functional.dropout2d nn.functional.dropout3d
    nn.functional.alpha_dropout nn.functional.feature_alpha_dropout.with_train nn.functional.rrelu
    nn.functional.fractional_max_pool2d nn.functional.fractional_max_pool3d svd_lowrank pca_lowrank
"""

# answer with the position of one of several equal numbers, of any one
TIED = "sort argsort topk kthvalue mode"


# differentiated through the wrapper of PyTorch's own checks: its gradient of these is one of the whole expression alone
WRAPPED = "cholesky_inverse cholesky_solve nn.functional.ctc_loss"


def without_dropout(name: str, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """The arguments of a call of attention with its dropout switched off: the rest is not random."""
    if name == "nn.functional.multi_head_attention_forward":
        args = (*args[:9], 0.0, *args[10:])
    return args, {k: 0.0 if k == "dropout_p" else v for k, v in kwargs.items()}


def assign(entries: Iterable[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """For each entry (full name, name) its class and group; a listing with the variant goes before the name alone."""
    lists = [("training", TRAINING), ("rest", REST), ("left out", LEFT_OUT)]
    listed: dict[str, tuple[str, str]] = {}
    for kind, groups in lists:
        for group, names in groups.items():
            for name in names.split():
                assert name not in listed, f"{name} is listed twice"
                listed[name] = (kind, group)
    found, used = {}, set()
    for full, name in entries:
        key = full if full in listed else name
        assert key in listed, f"{full} is in no list"
        used.add(key)
        found[full] = listed[key]
    unknown = sorted(set(listed) - used)
    assert not unknown, f"no such entries: {unknown}"
    return found

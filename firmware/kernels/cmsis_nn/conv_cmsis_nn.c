/* conv_cmsis_nn.c: convolutions through CMSIS-NN's wrappers, which choose the kernel themselves. */
#include <stddef.h>

#include "arm_nnfunctions.h"
#include "nb_kernels_cmsis_nn.h"

void nb_cmsis_conv2d(const nb_cmsis_conv2d_params *p, const int8_t *input, const int8_t *weights,
                     const int32_t *bias, const int32_t *multiplier, const int32_t *shift,
                     void *scratch, int8_t *output)
{
    const cmsis_nn_conv_params conv = {
        .input_offset = -p->input_zero,
        .output_offset = p->output_zero,
        .stride = {p->stride_w, p->stride_h},
        .padding = {p->pad_left, p->pad_top},
        .dilation = {p->dilation_w, p->dilation_h},
        .activation = {p->low, p->high},
    };
    /* The library takes them without const, and only reads. */
    const cmsis_nn_per_channel_quant_params quant = {(int32_t *)(uintptr_t)multiplier,
                                                     (int32_t *)(uintptr_t)shift};
    const cmsis_nn_dims in = {p->batches, p->in_h, p->in_w, p->in_c};
    const cmsis_nn_dims filter = {p->out_c, p->kernel_h, p->kernel_w, p->in_c};
    const cmsis_nn_dims biases = {1, 1, 1, p->out_c};
    const cmsis_nn_dims out = {p->batches, p->out_h, p->out_w, p->out_c};
    const cmsis_nn_context context = {scratch, p->scratch_bytes};
    if (arm_convolve_wrapper_s8_get_buffer_size(&conv, &in, &filter, &out) > p->scratch_bytes ||
        arm_convolve_wrapper_s8(&context, &conv, &quant, &in, input, &filter, weights, &biases,
                                bias, &out, output) != ARM_CMSIS_NN_SUCCESS) {
        __builtin_trap();
    }
}

void nb_cmsis_depthwise(const nb_cmsis_conv2d_params *p, const int8_t *input, const int8_t *weights,
                        const int32_t *bias, const int32_t *multiplier, const int32_t *shift,
                        void *scratch, int8_t *output)
{
    const cmsis_nn_dw_conv_params conv = {
        .input_offset = -p->input_zero,
        .output_offset = p->output_zero,
        .ch_mult = p->depth_multiplier,
        .stride = {p->stride_w, p->stride_h},
        .padding = {p->pad_left, p->pad_top},
        .dilation = {p->dilation_w, p->dilation_h},
        .activation = {p->low, p->high},
    };
    const cmsis_nn_per_channel_quant_params quant = {(int32_t *)(uintptr_t)multiplier,
                                                     (int32_t *)(uintptr_t)shift};
    const cmsis_nn_dims in = {p->batches, p->in_h, p->in_w, p->in_c};
    const cmsis_nn_dims filter = {1, p->kernel_h, p->kernel_w, p->out_c};
    const cmsis_nn_dims biases = {1, 1, 1, p->out_c};
    const cmsis_nn_dims out = {p->batches, p->out_h, p->out_w, p->out_c};
    const cmsis_nn_context context = {scratch, p->scratch_bytes};
    if (arm_depthwise_conv_wrapper_s8_get_buffer_size(&conv, &in, &filter, &out) >
            p->scratch_bytes ||
        arm_depthwise_conv_wrapper_s8(&context, &conv, &quant, &in, input, &filter, weights,
                                      &biases, bias, &out, output) != ARM_CMSIS_NN_SUCCESS) {
        __builtin_trap();
    }
}

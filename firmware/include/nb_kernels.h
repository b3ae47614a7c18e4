/* nb_kernels.h: operators on int8 tensors, one function per operator form.
 *
 * Rules for all of them:
 *   - Every buffer belongs to the caller. A kernel reads its inputs and constants, writes its whole
 *     output and, where it takes one, its scratch; it keeps nothing between calls.
 *   - Tensors are dense, channels last (NHWC). No pointer needs an alignment beyond its type's.
 *   - Output and scratch overlap nothing else, except where a kernel says it works in place.
 *   - Parameters are checked when the network is compiled and not again here.
 *   - Results equal TensorFlow Lite Micro's reference kernels bit for bit (see nb_requant.h).
 *   - The same file and function name in a sibling folder of kernels/portable/ is another flavour
 *     with the same contract.
 */
#ifndef NB_KERNELS_H
#define NB_KERNELS_H

#include <stdint.h>

/* Broadcast shapes and strided copies are given in at most NB_DIMS merged dimensions. */
#define NB_DIMS 5

/* Most inputs of a concatenation. */
#define NB_CONCAT_INPUTS 10

/* Words per output channel of a convolution's `quant` table: bias with the input's offset folded
 * in (bias - input_zero * sum of the channel's weights), multiplier, shift. */
#define NB_QUANT_WORDS 3

/* 2-D convolution. weights[out_c][kernel_h][kernel_w][in_c], quant[out_c][NB_QUANT_WORDS],
 * scratch: 2 * kernel_h * kernel_w * in_c bytes. Padding counts as input_zero. */
typedef struct {
    int32_t batches, in_h, in_w, in_c, out_h, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int32_t input_zero, output_zero, low, high;
} nb_conv2d_s8_params;
void nb_conv2d_s8(const nb_conv2d_s8_params *p, const int8_t *input, const int8_t *weights,
                  const int32_t *quant, int8_t *scratch, int8_t *output);

/* 1x1 convolution with stride 1: `pixels` rows of in_c values to rows of out_c values.
 * weights[out_c][in_c], quant[out_c][NB_QUANT_WORDS]. */
typedef struct {
    int32_t pixels, in_c, out_c, output_zero, low, high;
} nb_conv1x1_s8_params;
void nb_conv1x1_s8(const nb_conv1x1_s8_params *p, const int8_t *input, const int8_t *weights,
                   const int32_t *quant, int8_t *output);

/* Depthwise 2-D convolution, out_c = in_c * multiplier. weights[kernel_h][kernel_w][out_c],
 * quant[out_c][NB_QUANT_WORDS]. scratch: kernel_h * kernel_w * in_c bytes, or NULL when no window
 * leaves the input. Padding counts as input_zero. */
typedef struct {
    int32_t batches, in_h, in_w, in_c, out_h, out_w, out_c, multiplier;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int32_t input_zero, output_zero, low, high;
} nb_depthwise_conv2d_s8_params;
void nb_depthwise_conv2d_s8(const nb_depthwise_conv2d_s8_params *p, const int8_t *input,
                            const int8_t *weights, const int32_t *quant, int8_t *scratch,
                            int8_t *output);

/* Fully connected layer. weights[out_c][in_c], bias[out_c] with the input's offset folded in.
 * One multiplier and shift for all outputs (in the parameters) when `scales` is NULL, otherwise
 * scales[out_c][2] = multiplier, shift. */
typedef struct {
    int32_t batches, in_c, out_c, multiplier, shift, output_zero, low, high;
} nb_fully_connected_s8_params;
void nb_fully_connected_s8(const nb_fully_connected_s8_params *p, const int8_t *input,
                           const int8_t *weights, const int32_t *bias, const int32_t *scales,
                           int8_t *output);

/* Pooling over windows that are cut off at the input's edges. */
typedef struct {
    int32_t batches, in_h, in_w, channels, out_h, out_w;
    int32_t window_h, window_w, stride_h, stride_w, pad_top, pad_left, low, high;
} nb_pool_s8_params;
void nb_average_pool_s8(const nb_pool_s8_params *p, const int8_t *input, int8_t *output);
void nb_max_pool_s8(const nb_pool_s8_params *p, const int8_t *input, int8_t *output);

/* Sum and difference with broadcasting. dims are the output's merged dimensions, outermost first;
 * strides (in elements) are 0 along a broadcast dimension. Inputs are scaled by 2^left_shift before
 * their own multiplier. May work in place on an input whose strides are dense. */
typedef struct {
    int32_t dims[NB_DIMS], stride1[NB_DIMS], stride2[NB_DIMS];
    int32_t zero1, zero2, multiplier1, shift1, multiplier2, shift2, left_shift;
    int32_t multiplier, shift, output_zero, low, high;
} nb_add_s8_params;
void nb_add_s8(const nb_add_s8_params *p, const int8_t *input1, const int8_t *input2,
               int8_t *output);
void nb_sub_s8(const nb_add_s8_params *p, const int8_t *input1, const int8_t *input2,
               int8_t *output);

/* Product with broadcasting; dims and strides as in nb_add_s8_params. */
typedef struct {
    int32_t dims[NB_DIMS], stride1[NB_DIMS], stride2[NB_DIMS];
    int32_t zero1, zero2, multiplier, shift, output_zero, low, high;
} nb_mul_s8_params;
void nb_mul_s8(const nb_mul_s8_params *p, const int8_t *input1, const int8_t *input2,
               int8_t *output);

/* Smaller or larger of two values of equal quantization, with broadcasting. */
typedef struct {
    int32_t dims[NB_DIMS], stride1[NB_DIMS], stride2[NB_DIMS];
} nb_minmax_s8_params;
void nb_minimum_s8(const nb_minmax_s8_params *p, const int8_t *input1, const int8_t *input2,
                   int8_t *output);
void nb_maximum_s8(const nb_minmax_s8_params *p, const int8_t *input1, const int8_t *input2,
                   int8_t *output);

/* Mean over the reduced dimensions of input[keep0][reduce0][keep1][reduce1][keep2];
 * multiplier and shift hold the division by the count, `offset` is count * input zero point. */
typedef struct {
    int32_t keep0, reduce0, keep1, reduce1, keep2;
    int32_t offset, multiplier, shift, output_zero;
} nb_mean_s8_params;
void nb_mean_s8(const nb_mean_s8_params *p, const int8_t *input, int8_t *output);

/* Softmax over rows of `depth` values to scale 1/256, zero point -128. `multiplier` and
 * `left_shift` bring a difference to Q5.26; a difference below `diff_min` gives zero. */
typedef struct {
    int32_t rows, depth, multiplier, left_shift, diff_min;
} nb_softmax_s8_params;
void nb_softmax_s8(const nb_softmax_s8_params *p, const int8_t *input, int8_t *output);
/* The same in 1/65536, from -32768 on. */
void nb_softmax_s8_s16(const nb_softmax_s8_params *p, const int8_t *input, int16_t *output);

/* output[i] = table[(uint8_t)input[i]]; table has 256 entries. Works in place. */
typedef struct {
    int32_t count;
} nb_lut_s8_params;
void nb_lut_s8(const nb_lut_s8_params *p, const int8_t *input, const int8_t *table, int8_t *output);

/* Concatenation: `outer` times the inputs' runs of run[i] bytes, one after the other. Inputs from
 * `inputs` on are NULL. */
typedef struct {
    int32_t inputs, outer, run[NB_CONCAT_INPUTS];
} nb_concat_s8_params;
void nb_concat_s8(const nb_concat_s8_params *p, const int8_t *in0, const int8_t *in1,
                  const int8_t *in2, const int8_t *in3, const int8_t *in4, const int8_t *in5,
                  const int8_t *in6, const int8_t *in7, const int8_t *in8, const int8_t *in9,
                  int8_t *output);

/* Padding of a tensor of merged dimensions `dims` with `before` and `after` elements of `value`. */
typedef struct {
    int32_t dims[NB_DIMS], before[NB_DIMS], after[NB_DIMS];
    int32_t value;
} nb_pad_s8_params;
void nb_pad_s8(const nb_pad_s8_params *p, const int8_t *input, int8_t *output);

/* Gather into a dense output of merged dimensions `dims`: element (i0..i4) comes from
 * input[first + sum(i * stride)]. Serves slices and transpositions. */
typedef struct {
    int32_t dims[NB_DIMS], stride[NB_DIMS];
    int32_t first;
} nb_copy_s8_params;
void nb_copy_s8(const nb_copy_s8_params *p, const int8_t *input, int8_t *output);

/* Nearest-neighbour resizing. rows[out_h] and columns[out_w] hold source indices. */
typedef struct {
    int32_t batches, in_h, in_w, channels, out_h, out_w;
} nb_resize_nearest_s8_params;
void nb_resize_nearest_s8(const nb_resize_nearest_s8_params *p, const int8_t *input,
                          const uint16_t *rows, const uint16_t *columns, int8_t *output);

/* Between float32 and int8. `scale_bits` is the scale's IEEE 754 representation. Quantizing
 * saturates; a NaN gives the zero point. */
typedef struct {
    int32_t count;
    uint32_t scale_bits;
    int32_t zero;
} nb_quantize_params;
void nb_quantize_f32_s8(const nb_quantize_params *p, const float *input, int8_t *output);
void nb_dequantize_s8_f32(const nb_quantize_params *p, const int8_t *input, float *output);

/* The further operators, in a header of their own. */
#include "nb_kernels_math.h"
#include "nb_kernels_more.h"
#include "nb_kernels_wide.h"

#endif

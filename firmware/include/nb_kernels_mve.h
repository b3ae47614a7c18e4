/* nb_kernels_mve.h: operators for cores with Helium (firmware/kernels/mve).
 *
 * The rules of nb_kernels.h hold. Weights and tables come in the kernels' own order, which the
 * compiler lays out (compiler/npubench/compiler/lower/mve.py). Constants are 4-byte aligned.
 * `exact` 0: the output's lowest code is its zero point. Shifts are negative: to the right.
 */
#ifndef NB_KERNELS_MVE_H
#define NB_KERNELS_MVE_H

#include <stdint.h>

#include "nb_kernels.h"

/* Convolution; `blocks` are the sixteens of taps of a window. weights: per four output channels,
 * per block, sixteen taps of each. quant: per four output channels their biases, multipliers,
 * shifts. columns: 32 * blocks bytes. In
 * nb_mve_conv2d_s8 they are 16 bytes longer each, and a ring of rows follows, ring_rows * pitch + 16
 * bytes, in which a row of the input stands with its padding, `width` pixels of it from the input;
 * windows are read in runs of `run` bytes, runs_w per kernel row. Both write outputs from first to
 * last: nb_mve_conv1x1_s8 when the input up to there is in the columns, nb_mve_conv2d_s8 when the
 * rows up to the window's last are in the ring. */
typedef struct {
    int32_t batches, in_h, in_w, in_c, out_h, out_w, out_c;
    int32_t kernel_h, runs_w, run, blocks, stride_h, stride_w, dilation_h, dilation_w;
    int32_t pad_top, pad_left, reach_h, ring_rows, pitch, width;
    int32_t input_zero, output_zero, exact, low, high;
} nb_mve_conv2d_s8_params;
void nb_mve_conv2d_s8(const nb_mve_conv2d_s8_params *p, const int8_t *input, const int8_t *weights,
                      const int32_t *quant, int8_t *columns, int8_t *output);
void nb_mve_conv1x1_s8(const nb_mve_conv2d_s8_params *p, const int8_t *input, const int8_t *weights,
                       const int32_t *quant, int8_t *columns, int8_t *output);

/* Depthwise 3x3 convolution, multiplier 1. weights: four bytes of zero, then per channel its three
 * columns of three taps and a zero each, and four bytes of zero; quant: per channel bias, multiplier,
 * what is added to the product (zero point and half of the last place), 24 less the shift to the
 * right. planes: `strips` strips of strip_bytes and 64 bytes; `lines` output rows to a strip, 2 where
 * both strides are 1; `pitch` bytes to a column, a word for each of up to sixteen channels;
 * `columns` of them are read, `width` come from the input. Outputs of `strips` strips are written
 * when all of their input is in the planes, sixteen channels after sixteen. */
typedef struct {
    int32_t batches, in_h, in_w, channels, out_h, out_w;
    int32_t stride_h, stride_w, pad_top, pad_left;
    int32_t lines, strips, strip_bytes, pitch, columns, width;
    int32_t input_zero, exact, low, high;
} nb_mve_depthwise_3x3_s8_params;
void nb_mve_depthwise_3x3_s8(const nb_mve_depthwise_3x3_s8_params *p, const int8_t *input,
                             const int8_t *weights, const int32_t *quant, int8_t *planes,
                             int8_t *output);

/* Dense layer with one scale for all outputs. weights: per eight output channels, per sixteen taps,
 * sixteen taps of each; sums: their biases. column: in_c rounded up to sixteen bytes, or NULL where
 * in_c is a multiple of sixteen. */
typedef struct {
    int32_t batches, in_c, out_c;
    int32_t multiplier, shift, output_zero, exact, low, high;
} nb_mve_fully_connected_s8_params;
void nb_mve_fully_connected_s8(const nb_mve_fully_connected_s8_params *p, const int8_t *input,
                               const int8_t *weights, const int32_t *sums, int8_t *column,
                               int8_t *output);

/* Sum of two tensors of `count` elements. Works in place on either input. */
typedef struct {
    int32_t count;
    int32_t zero1, multiplier1, shift1, zero2, multiplier2, shift2, left_shift;
    int32_t multiplier, shift, output_zero, low, high;
} nb_mve_add_s8_params;
void nb_mve_add_s8(const nb_mve_add_s8_params *p, const int8_t *input1, const int8_t *input2,
                   int8_t *output);

/* Average pooling over at most 255 places, channels a multiple of eight. */
void nb_mve_average_pool_s8(const nb_pool_s8_params *p, const int8_t *input, int8_t *output);

/* int16 convolution in one group, or a dense layer as 1x1 over its rows, as nb_conv2d_s16;
 * weights[out_c][taps], taps filled up with zeros to
 * eights; scratch: 2 * taps values. */
void nb_mve_conv2d_s16(const nb_conv2d_s16_params *p, const int16_t *input, const int8_t *weights,
                       const int32_t *quant, int16_t *scratch, int16_t *output);

#endif

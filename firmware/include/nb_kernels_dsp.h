/* nb_kernels_dsp.h: operators for cores with the DSP extension (firmware/kernels/dsp).
 *
 * The rules of nb_kernels.h hold. Weights and tables come in the kernels' own order, which the
 * compiler lays out (compiler/npubench/compiler/lower/dsp.py); the compiler has also proven that no
 * sum leaves its range. Constants and columns are 4-byte aligned.
 */
#ifndef NB_KERNELS_DSP_H
#define NB_KERNELS_DSP_H

#include <stdint.h>

#include "nb_kernels.h"

/* Convolution. A window is read in runs of `run` neighbouring bytes, runs_w of them per kernel row;
 * `words` are the four-tap words of all its runs. stream: per four output channels their four
 * starting sums (of the odd ones: even one's + 256 own); per word the even taps of channels 0 and 1
 * as a + 256 b, of channels 2 and 3, the odd taps likewise; four times multiplier, rounding with
 * the output's zero point, right shift. `exact` 0: the output's lowest code is its zero point and
 * -128, its highest 127. column: 16 * words bytes. In nb_dsp_conv2d_s8 a ring of rows follows it,
 * ring_rows * pitch bytes (to a multiple of 4), in which a row of the input stands with its
 * padding, `width` pixels of it from the input; with an odd out_w the ring has stride_h rows more
 * than a window. Channels are computed in blocks of `groups` times four, all windows of one before
 * the next; where `copied` is set, a block's stream is brought behind column and ring first, 16 *
 * (words + 4) bytes a group. With one block both write outputs from first to last:
 * nb_dsp_conv1x1_s8 when the input up to there is in the column, nb_dsp_conv2d_s8 when the rows up
 * to the window's last are in the ring. */
typedef struct {
    int32_t batches, in_h, in_w, in_c, out_h, out_w, out_c;
    int32_t kernel_h, runs_w, run, words, groups, copied;
    int32_t stride_h, stride_w, dilation_h, dilation_w;
    int32_t pad_top, pad_left, reach_h, ring_rows, pitch, width;
    int32_t input_zero, exact, low, high;
} nb_dsp_conv2d_s8_params;
void nb_dsp_conv2d_s8(const nb_dsp_conv2d_s8_params *p, const int8_t *input, const uint32_t *stream,
                      uint32_t *column, int8_t *output);
void nb_dsp_conv1x1_s8(const nb_dsp_conv2d_s8_params *p, const int8_t *input,
                       const uint32_t *stream, uint32_t *column, int8_t *output);

/* Depthwise 3x3 convolution, multiplier 1, stride_w 1 or 2, at least four channels. weights[c][9]
 * row by row; quant[c] = twice the bias, multiplier, rounding with the output's zero point, right
 * shift. Works in strips of `strip_rows` output rows: four planes of `plane_bytes`, their rows
 * `pitch` apart, of which `width` values come from the input. planes: 4 * plane_bytes + 4 bytes. */
typedef struct {
    int32_t batches, in_h, in_w, channels, out_h, out_w;
    int32_t stride_h, stride_w, pad_top, pad_left;
    int32_t strip_rows, pitch, plane_bytes, width;
    int32_t input_zero, exact, low, high;
} nb_dsp_depthwise_3x3_s8_params;
void nb_dsp_depthwise_3x3_s8(const nb_dsp_depthwise_3x3_s8_params *p, const int8_t *input,
                             const int8_t *weights, const int32_t *quant, int8_t *planes,
                             int8_t *output);

/* Dense layer with one scale for all outputs. weights as for nb_dsp_conv2d_s8, but per eight output
 * channels; what a row has beyond whole words is filled with zeros behind. sums: per eight channels
 * their starting sums. */
typedef struct {
    int32_t batches, in_c, out_c;
    int32_t multiplier, rounding, shift, exact, low, high;
} nb_dsp_fully_connected_s8_params;
void nb_dsp_fully_connected_s8(const nb_dsp_fully_connected_s8_params *p, const int8_t *input,
                               const int8_t *weights, const int32_t *sums, int8_t *output);

/* Sum of two tensors of `count` elements. zero1 and zero2 are the inputs' zero points times 2^21;
 * masks are 0 where the shift is 0, else -1. `plain`: multiplier1 is 2^30 with no shift, shift2 is
 * not 0, and the output opens at its zero point -128. Works in place on either input. */
typedef struct {
    int32_t count;
    int32_t zero1, multiplier1, mask1, rounding1, shift1;
    int32_t zero2, multiplier2, mask2, rounding2, shift2;
    int32_t multiplier, rounding, shift, plain, low, high;
} nb_dsp_add_s8_params;
void nb_dsp_add_s8(const nb_dsp_add_s8_params *p, const int8_t *input1, const int8_t *input2,
                   int8_t *output);

/* Average pooling over at most 255 places, channels a multiple of four. */
void nb_dsp_average_pool_s8(const nb_pool_s8_params *p, const int8_t *input, int8_t *output);

/* int16 convolution in one group, or a dense layer as 1x1 over its rows, as nb_conv2d_s16;
 * weights[out_c][taps], taps filled up with zeros to
 * fours of which each lies as 0, 2, 1, 3; scratch: 2 * taps values. */
void nb_dsp_conv2d_s16(const nb_conv2d_s16_params *p, const int16_t *input, const int8_t *weights,
                       const int32_t *quant, int16_t *scratch, int16_t *output);

#endif

/* nb_kernels_more.h: operators beside the common ones; the rules of nb_kernels.h hold. */
#ifndef NB_KERNELS_MORE_H
#define NB_KERNELS_MORE_H

#include <stdint.h>

/* `bytes` bytes from input to output. */
typedef struct {
    int32_t bytes;
} nb_move_params;
void nb_move(const nb_move_params *p, const int8_t *input, int8_t *output);

/* Most outputs of a split. */
#define NB_SPLIT_OUTPUTS 10

/* `outer` times runs of run[i] bytes, run i into output i. Outputs from `outputs` on are NULL. */
typedef struct {
    int32_t outputs, outer, run[NB_SPLIT_OUTPUTS];
} nb_split_params;
void nb_split(const nb_split_params *p, const int8_t *input, int8_t *out0, int8_t *out1,
              int8_t *out2, int8_t *out3, int8_t *out4, int8_t *out5, int8_t *out6, int8_t *out7,
              int8_t *out8, int8_t *out9);

/* Runs of `bytes`: run (i0..i4) comes from input + the sum over the axes of offsets[axis][i], in
 * bytes. `offsets` holds the tables of all axes, dims[0] + ... + dims[4] numbers. */
typedef struct {
    int32_t dims[5], bytes;
} nb_pick_params;
void nb_pick(const nb_pick_params *p, const int8_t *input, const int32_t *offsets, int8_t *output);

/* `outer` times `count` runs of `bytes`, run i being number indices[i] of the `axis` runs there. */
typedef struct {
    int32_t outer, axis, count, bytes;
} nb_gather_params;
void nb_gather(const nb_gather_params *p, const int8_t *input, const int32_t *indices,
               int8_t *output);

/* LSTM over `steps`, from hidden[batches][units] and cell[batches][units], which it updates; output
 * is the hidden state of every step. Gates are in the order forget, input, cell, output. weights hold
 * [gate][units][depth] and behind it [gate][units][units] of the same gate, bias [gate][2][units]
 * with the offsets of input and hidden state folded in; multiplier and shift (two per gate) scale to
 * Q3.12. The products are forget * cell, input * fresh, tanh * output. `cell_shift` is 12 plus the
 * cell scale's power of two, `clip` 0 for none, `logistic` 256 values of the function at i / 24 in
 * Q0.16. scratch: 4 * units values. Strides in elements. */
typedef struct {
    int32_t batches, steps, depth, units;
    int32_t step_stride, batch_stride, out_step_stride, out_batch_stride;
    int32_t multiplier[8], shift[8], product_multiplier[3], product_shift[3];
    int32_t cell_shift, clip, hidden_zero;
} nb_lstm_s8_params;
void nb_lstm_s8(const nb_lstm_s8_params *p, const int8_t *input, const int8_t *weights,
                const int32_t *bias, const uint16_t *logistic, int8_t *hidden, int16_t *cell,
                int16_t *scratch, int8_t *output);

/* Bilinear resizing. rows[out_h][3] and columns[out_w][3]: the two source indices and the second
 * one's weight of 1024. */
void nb_resize_bilinear_s8(const nb_resize_nearest_s8_params *p, const int8_t *input,
                           const int16_t *rows, const int16_t *columns, int8_t *output);

/* Blocks of pixels to batches and back. `batches` is that of the side with larger images; `top` and
 * `left` are padding (filled with `value`) or crops. */
typedef struct {
    int32_t batches, in_h, in_w, channels, out_h, out_w, block_h, block_w, top, left, value;
} nb_space_to_batch_s8_params;
void nb_space_to_batch_s8(const nb_space_to_batch_s8_params *p, const int8_t *input,
                          int8_t *output);
void nb_batch_to_space_s8(const nb_space_to_batch_s8_params *p, const int8_t *input,
                          int8_t *output);

/* x from zero on, and x times a slope below; dims and strides as in nb_add_s8_params. */
typedef struct {
    int32_t dims[NB_DIMS], stride1[NB_DIMS], stride2[NB_DIMS];
    int32_t zero1, zero2, multiplier1, shift1, multiplier2, shift2, output_zero;
} nb_prelu_s8_params;
void nb_prelu_s8(const nb_prelu_s8_params *p, const int8_t *input, const int8_t *slopes,
                 int8_t *output);

#endif

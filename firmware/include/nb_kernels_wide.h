/* nb_kernels_wide.h: operators on int16 tensors; the rules of nb_kernels.h hold. Weights are int8,
 * zero points are zero unless a kernel says otherwise. */
#ifndef NB_KERNELS_WIDE_H
#define NB_KERNELS_WIDE_H

#include <stdint.h>

/* Words per output channel of a `quant` table: the bias's low and high half, multiplier, shift. */
#define NB_WIDE_QUANT_WORDS 4

/* How a layer adds up and requantizes (`sums`), as the reference does by the type of its bias:
 * 64-bit sums and a 15-bit multiplier (nb_requant_wide); the same where no sum leaves 32 bits; 32-bit
 * sums that nb_requant rounds twice. */
enum { NB_SUMS_64, NB_SUMS_32, NB_SUMS_32_TWICE };

/* 2-D convolution, in `groups` or one. weights[out_c][kernel_h][kernel_w][in_c / groups],
 * quant[out_c][NB_WIDE_QUANT_WORDS], scratch: 2 * kernel_h * kernel_w * in_c values. */
typedef struct {
    int32_t batches, in_h, in_w, in_c, out_h, out_w, out_c, groups;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int32_t sums, low, high;
} nb_conv2d_s16_params;
void nb_conv2d_s16(const nb_conv2d_s16_params *p, const int16_t *input, const int8_t *weights,
                   const int32_t *quant, int16_t *scratch, int16_t *output);

/* Depthwise 2-D convolution, out_c = in_c * multiplier. weights[kernel_h][kernel_w][out_c],
 * quant[out_c][NB_WIDE_QUANT_WORDS]. */
typedef struct {
    int32_t batches, in_h, in_w, in_c, out_h, out_w, out_c, multiplier;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int32_t sums, low, high;
} nb_depthwise_conv2d_s16_params;
void nb_depthwise_conv2d_s16(const nb_depthwise_conv2d_s16_params *p, const int16_t *input,
                             const int8_t *weights, const int32_t *quant, int16_t *output);

/* Transposed convolution. weights[out_c][kernel_h][kernel_w][in_c],
 * quant[out_c][NB_WIDE_QUANT_WORDS]. */
typedef struct {
    int32_t batches, in_h, in_w, in_c, out_h, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, sums, low, high;
} nb_transpose_conv_s16_params;
void nb_transpose_conv_s16(const nb_transpose_conv_s16_params *p, const int16_t *input,
                           const int8_t *weights, const int32_t *quant, int16_t *output);

/* Fully connected layer: `rows` rows of in_c values to rows of out_c. weights[out_c][in_c],
 * quant[out_c][NB_WIDE_QUANT_WORDS]. */
typedef struct {
    int32_t rows, in_c, out_c, sums, low, high;
} nb_fully_connected_s16_params;
void nb_fully_connected_s16(const nb_fully_connected_s16_params *p, const int16_t *input,
                            const int8_t *weights, const int32_t *quant, int16_t *output);

/* Products of matrices as nb_batch_matmul_s8; 64-bit sums, nb_requant_wide. */
typedef struct {
    int32_t dims[3], left_stride[3], right_stride[3];
    int32_t rows, depth, columns, left_row, left_step, right_step, right_column;
    int32_t multiplier, shift;
} nb_batch_matmul_s16_params;
void nb_batch_matmul_s16(const nb_batch_matmul_s16_params *p, const int16_t *left,
                         const int16_t *right, int16_t *output);

/* Sum, difference, product, extremes and squared difference with broadcasting; the parameters are
 * those of the int8 kernels, zero points zero. */
void nb_add_s16(const nb_add_s8_params *p, const int16_t *input1, const int16_t *input2,
                int16_t *output);
void nb_sub_s16(const nb_add_s8_params *p, const int16_t *input1, const int16_t *input2,
                int16_t *output);
void nb_mul_s16(const nb_mul_s8_params *p, const int16_t *input1, const int16_t *input2,
                int16_t *output);
void nb_minimum_s16(const nb_minmax_s8_params *p, const int16_t *input1, const int16_t *input2,
                    int16_t *output);
void nb_maximum_s16(const nb_minmax_s8_params *p, const int16_t *input1, const int16_t *input2,
                    int16_t *output);
void nb_squared_difference_s16(const nb_squared_difference_s8_params *p, const int16_t *input1,
                               const int16_t *input2, int16_t *output);

/* As nb_prelu_s8; the slopes are int8 with a zero point. */
void nb_prelu_s16(const nb_prelu_s8_params *p, const int16_t *input, const int8_t *slopes,
                  int16_t *output);

/* Pooling as on int8. */
void nb_average_pool_s16(const nb_pool_s8_params *p, const int16_t *input, int16_t *output);
void nb_max_pool_s16(const nb_pool_s8_params *p, const int16_t *input, int16_t *output);

/* Mean and sum as nb_mean_s8. */
void nb_mean_s16(const nb_mean_s8_params *p, const int16_t *input, int16_t *output);

/* x from zero on scaled by one factor, below by another; with `mirror` below as its size by the
 * first. Works in place. */
typedef struct {
    int32_t count, multiplier1, shift1, multiplier2, shift2, mirror, low, high;
} nb_scale_s16_params;
void nb_scale_s16(const nb_scale_s16_params *p, const int16_t *input, int16_t *output);

/* Logistic function and hyperbolic tangent in Q0.15. An input times `multiplier`, rounded and
 * shifted right by `shift`, counts 1 / 12288. `table`: logistic(i / 24) in Q0.16. Work in place. */
typedef struct {
    int32_t count, multiplier, shift;
} nb_sigmoid_s16_params;
void nb_logistic_s16(const nb_sigmoid_s16_params *p, const int16_t *input, const uint16_t *table,
                     int16_t *output);
void nb_tanh_s16(const nb_sigmoid_s16_params *p, const int16_t *input, const uint16_t *table,
                 int16_t *output);

/* Softmax over rows of `depth` values, in Q0.15. `exponentials` are exp over [-10, 0], `reciprocals`
 * 1 / (1 + x) over [0, 1], each 513 values in Q0.15 between which is interpolated; multiplier and
 * shift scale a difference to 10 / 65535. */
typedef struct {
    int32_t rows, depth, multiplier, shift;
} nb_softmax_s16_params;
void nb_softmax_s16(const nb_softmax_s16_params *p, const int16_t *input,
                    const int16_t *exponentials, const int16_t *reciprocals, int16_t *output);

/* As nb_lstm_s8 with int16 input and hidden state: bias[gate][units][2] are the low and high half of
 * 64-bit biases, multiplier and shift are those of nb_requant_wide, hidden_zero is zero. */
void nb_lstm_s16(const nb_lstm_s8_params *p, const int16_t *input, const int8_t *weights,
                 const int32_t *bias, const uint16_t *logistic, int16_t *hidden, int16_t *cell,
                 int16_t *scratch, int16_t *output);

#endif

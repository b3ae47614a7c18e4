/* nb_kernels_cmsis_nn.h: calls of a user's own CMSIS-NN, one per operator. Its functions take their
 * arguments in structs of their own; these put them together. `scratch_bytes` is what the caller
 * gives; a tree that wants more ends in a fault, never in other memory. Equal to TFLM's kernels. */
#ifndef NB_KERNELS_CMSIS_NN_H
#define NB_KERNELS_CMSIS_NN_H

#include <stdint.h>

/* in_c * depth_multiplier == out_c where it is depthwise, else depth_multiplier is 0. bias may be
 * NULL; multiplier and shift have one value per output channel. */
typedef struct {
    int32_t batches, in_h, in_w, in_c, out_h, out_w, out_c, depth_multiplier;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int32_t input_zero, output_zero, low, high, scratch_bytes;
} nb_cmsis_conv2d_params;
void nb_cmsis_conv2d(const nb_cmsis_conv2d_params *p, const int8_t *input, const int8_t *weights,
                     const int32_t *bias, const int32_t *multiplier, const int32_t *shift,
                     void *scratch, int8_t *output);
void nb_cmsis_depthwise(const nb_cmsis_conv2d_params *p, const int8_t *input, const int8_t *weights,
                        const int32_t *bias, const int32_t *multiplier, const int32_t *shift,
                        void *scratch, int8_t *output);

/* sums: of each output its bias and the offset's part, which the Helium kernels want ready; NULL for
 * other cores. */
typedef struct {
    int32_t batches, in_c, out_c, multiplier, shift, input_zero, output_zero, low, high;
} nb_cmsis_fully_connected_params;
void nb_cmsis_fully_connected(const nb_cmsis_fully_connected_params *p, const int8_t *input,
                              const int8_t *weights, const int32_t *bias, const int32_t *sums,
                              int8_t *output);
void nb_cmsis_fully_connected_channels(const nb_cmsis_fully_connected_params *p,
                                       const int8_t *input, const int8_t *weights,
                                       const int32_t *bias, const int32_t *sums,
                                       const int32_t *multiplier, const int32_t *shift,
                                       int8_t *output);

typedef struct {
    int32_t batches, in_h, in_w, channels, out_h, out_w, window_h, window_w;
    int32_t stride_h, stride_w, pad_top, pad_left, low, high, scratch_bytes;
} nb_cmsis_pool_params;
void nb_cmsis_average_pool(const nb_cmsis_pool_params *p, const int8_t *input, void *scratch,
                           int8_t *output);
void nb_cmsis_max_pool(const nb_cmsis_pool_params *p, const int8_t *input, void *scratch,
                       int8_t *output);

typedef struct {
    int32_t count, zero1, zero2, multiplier1, shift1, multiplier2, shift2, left_shift;
    int32_t multiplier, shift, output_zero, low, high;
} nb_cmsis_elementwise_params;
void nb_cmsis_add(const nb_cmsis_elementwise_params *p, const int8_t *first, const int8_t *second,
                  int8_t *output);
void nb_cmsis_mul(const nb_cmsis_elementwise_params *p, const int8_t *first, const int8_t *second,
                  int8_t *output);

typedef struct {
    int32_t rows, depth, multiplier, left_shift, diff_min;
} nb_cmsis_softmax_params;
void nb_cmsis_softmax(const nb_cmsis_softmax_params *p, const int8_t *input, int8_t *output);

#endif

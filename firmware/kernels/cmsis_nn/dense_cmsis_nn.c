/* dense_cmsis_nn.c: fully connected layers through CMSIS-NN. Its Helium kernels read the sums of the
 * weights from the context's buffer; they are constants here. */
#include <stddef.h>

#include "arm_nnfunctions.h"
#include "nb_kernels_cmsis_nn.h"

typedef struct {
    cmsis_nn_fc_params dense;
    cmsis_nn_dims in, filter, biases, out;
    cmsis_nn_context context;
} call;

static call call_of(const nb_cmsis_fully_connected_params *p, const int32_t *sums)
{
    return (call){
        .dense = {.input_offset = -p->input_zero,
                  .filter_offset = 0,
                  .output_offset = p->output_zero,
                  .activation = {p->low, p->high}},
        .in = {p->batches, 1, 1, p->in_c},
        .filter = {p->in_c, 1, 1, p->out_c},
        .biases = {1, 1, 1, p->out_c},
        .out = {p->batches, 1, 1, p->out_c},
        .context = {(void *)(uintptr_t)sums, sums == NULL ? 0 : 4 * p->out_c},
    };
}

void nb_cmsis_fully_connected(const nb_cmsis_fully_connected_params *p, const int8_t *input,
                              const int8_t *weights, const int32_t *bias, const int32_t *sums,
                              int8_t *output)
{
    const call c = call_of(p, sums);
    const cmsis_nn_per_tensor_quant_params quant = {p->multiplier, p->shift};
    if (arm_fully_connected_s8(&c.context, &c.dense, &quant, &c.in, input, &c.filter, weights,
                               &c.biases, bias, &c.out, output) != ARM_CMSIS_NN_SUCCESS) {
        __builtin_trap();
    }
}

void nb_cmsis_fully_connected_channels(const nb_cmsis_fully_connected_params *p,
                                       const int8_t *input, const int8_t *weights,
                                       const int32_t *bias, const int32_t *sums,
                                       const int32_t *multiplier, const int32_t *shift,
                                       int8_t *output)
{
    const call c = call_of(p, sums);
    const cmsis_nn_per_channel_quant_params quant = {(int32_t *)(uintptr_t)multiplier,
                                                     (int32_t *)(uintptr_t)shift};
    if (arm_fully_connected_per_channel_s8(&c.context, &c.dense, &quant, &c.in, input, &c.filter,
                                           weights, &c.biases, bias, &c.out,
                                           output) != ARM_CMSIS_NN_SUCCESS) {
        __builtin_trap();
    }
}

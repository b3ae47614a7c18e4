/* pool_cmsis_nn.c: pooling through CMSIS-NN. */
#include "arm_nnfunctions.h"
#include "nb_kernels_cmsis_nn.h"

typedef struct {
    cmsis_nn_pool_params pool;
    cmsis_nn_dims in, filter, out;
    cmsis_nn_context context;
} call;

static call call_of(const nb_cmsis_pool_params *p, void *scratch)
{
    return (call){
        .pool = {.stride = {p->stride_w, p->stride_h},
                 .padding = {p->pad_left, p->pad_top},
                 .activation = {p->low, p->high}},
        .in = {p->batches, p->in_h, p->in_w, p->channels},
        .filter = {1, p->window_h, p->window_w, 1},
        .out = {p->batches, p->out_h, p->out_w, p->channels},
        .context = {scratch, p->scratch_bytes},
    };
}

void nb_cmsis_average_pool(const nb_cmsis_pool_params *p, const int8_t *input, void *scratch,
                           int8_t *output)
{
    const call c = call_of(p, scratch);
    if (arm_avgpool_s8_get_buffer_size(p->out_w, p->channels) > p->scratch_bytes ||
        arm_avgpool_s8(&c.context, &c.pool, &c.in, input, &c.filter, &c.out, output) !=
            ARM_CMSIS_NN_SUCCESS) {
        __builtin_trap();
    }
}

void nb_cmsis_max_pool(const nb_cmsis_pool_params *p, const int8_t *input, void *scratch,
                       int8_t *output)
{
    const call c = call_of(p, scratch);
    if (arm_max_pool_s8(&c.context, &c.pool, &c.in, input, &c.filter, &c.out, output) !=
        ARM_CMSIS_NN_SUCCESS) {
        __builtin_trap();
    }
}

/* lstm_s16.c: LSTM over a sequence, int16 with int8 weights and 16-bit cells, portable C.
 *
 * Equals TensorFlow Lite Micro's reference UNIDIRECTIONAL_SEQUENCE_LSTM of int16: 64-bit sums, gates
 * in Q3.12 before and Q0.15 after their activation. About five instructions per
 * multiply-accumulate.
 */
#include <string.h>

#include "nb_kernels.h"
#include "nb_lstm.h"
#include "nb_wide.h"

/* One gate of all units before its activation, Q3.12. */
static void gate(const nb_lstm_s8_params *p, int32_t which, const int16_t *input,
                 const int16_t *hidden, const int8_t *weights, const int32_t *bias, int16_t *output)
{
    const int32_t depth = p->depth, units = p->units;
    const int8_t *from_input = weights + which * units * (depth + units);
    const int8_t *from_state = from_input + units * depth;
    const int32_t *base = bias + 2 * which * units;
    for (int32_t u = 0; u < units; u++) {
        const int64_t a = nb_wide_bias(base + 2 * u) +
                          nb_wide_dot(input, from_input + u * depth, depth, NB_SUMS_64);
        const int64_t b = nb_wide_dot(hidden, from_state + u * units, units, NB_SUMS_64);
        const int32_t x = nb_requant_wide(a, p->multiplier[2 * which], p->shift[2 * which]);
        const int32_t y = nb_requant_wide(b, p->multiplier[2 * which + 1], p->shift[2 * which + 1]);
        output[u] = (int16_t)nb_limit16(nb_limit16(x) + nb_limit16(y));
    }
}

static void step(const nb_lstm_s8_params *p, const int16_t *input, const int8_t *weights,
                 const int32_t *bias, const uint16_t *table, int16_t *hidden, int16_t *cell,
                 int16_t *gates)
{
    const int32_t units = p->units;
    for (int32_t which = 0; which < 4; which++) {
        gate(p, which, input, hidden, weights, bias, gates + which * units);
    }
    for (int32_t u = 0; u < units; u++) {
        const int32_t value = nb_lstm_unit(p, gates + u, table, cell + u);
        hidden[u] = (int16_t)nb_limit16(value);
    }
}

void nb_lstm_s16(const nb_lstm_s8_params *p, const int16_t *input, const int8_t *weights,
                 const int32_t *bias, const uint16_t *logistic, int16_t *hidden, int16_t *cell,
                 int16_t *scratch, int16_t *output)
{
    for (int32_t b = 0; b < p->batches; b++) {
        for (int32_t t = 0; t < p->steps; t++) {
            step(p, input + b * p->batch_stride + t * p->step_stride, weights, bias, logistic,
                 hidden, cell, scratch);
            memcpy(output + b * p->out_batch_stride + t * p->out_step_stride, hidden,
                   (size_t)p->units * sizeof(int16_t));
        }
        hidden += p->units;
        cell += p->units;
    }
}

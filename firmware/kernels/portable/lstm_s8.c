/* lstm_s8.c: LSTM over a sequence, int8 with 16-bit cells, portable C.
 *
 * Equals TensorFlow Lite Micro's reference UNIDIRECTIONAL_SEQUENCE_LSTM (int8 activations and
 * weights). Gates are Q3.12 before and Q0.15 after their activation, which interpolates a table of
 * the logistic function. About four instructions per multiply-accumulate.
 */
#include <string.h>

#include "nb_kernels.h"
#include "nb_lstm.h"
#include "nb_requant.h"

static int32_t dot(const int8_t *x, const int8_t *weights, int32_t n, int32_t sum)
{
    for (; n > 0; n--) {
        sum += *x++ * *weights++;
    }
    return sum;
}

/* One gate of all units before its activation, Q3.12. */
static void gate(const nb_lstm_s8_params *p, int32_t which, const int8_t *input,
                 const int8_t *hidden, const int8_t *weights, const int32_t *bias, int16_t *output)
{
    const int32_t depth = p->depth, units = p->units;
    const int8_t *from_input = weights + which * units * (depth + units);
    const int8_t *from_state = from_input + units * depth;
    const int32_t *base = bias + 2 * which * units;
    for (int32_t u = 0; u < units; u++) {
        const int32_t a = dot(input, from_input + u * depth, depth, base[u]);
        const int32_t b = dot(hidden, from_state + u * units, units, base[units + u]);
        const int32_t x = nb_requant(a, p->multiplier[2 * which], p->shift[2 * which]);
        const int32_t y = nb_requant(b, p->multiplier[2 * which + 1], p->shift[2 * which + 1]);
        output[u] = (int16_t)nb_limit16(nb_limit16(x) + nb_limit16(y));
    }
}

static void step(const nb_lstm_s8_params *p, const int8_t *input, const int8_t *weights,
                 const int32_t *bias, const uint16_t *table, int8_t *hidden, int16_t *cell,
                 int16_t *gates)
{
    const int32_t units = p->units;
    for (int32_t which = 0; which < 4; which++) {
        gate(p, which, input, hidden, weights, bias, gates + which * units);
    }
    for (int32_t u = 0; u < units; u++) {
        const int32_t value = nb_lstm_unit(p, gates + u, table, cell + u);
        hidden[u] = (int8_t)nb_clamp(value, INT8_MIN, INT8_MAX);
    }
}

void nb_lstm_s8(const nb_lstm_s8_params *p, const int8_t *input, const int8_t *weights,
                const int32_t *bias, const uint16_t *logistic, int8_t *hidden, int16_t *cell,
                int16_t *scratch, int8_t *output)
{
    for (int32_t b = 0; b < p->batches; b++) {
        for (int32_t t = 0; t < p->steps; t++) {
            step(p, input + b * p->batch_stride + t * p->step_stride, weights, bias, logistic,
                 hidden, cell, scratch);
            memcpy(output + b * p->out_batch_stride + t * p->out_step_stride, hidden,
                   (size_t)p->units);
        }
        hidden += p->units;
        cell += p->units;
    }
}

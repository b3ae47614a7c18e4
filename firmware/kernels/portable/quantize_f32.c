/* quantize_f32.c: between float32 and int8, portable C.
 *
 * Equals TensorFlow Lite Micro's QUANTIZE and DEQUANTIZE wherever value / scale fits an int32:
 * a float division rounded half away from zero, and a correctly rounded product. Needs no libm.
 * One division or multiplication per element, in software on a core without an FPU.
 */
#include <string.h>

#include "nb_kernels.h"
#include "nb_requant.h"

_Static_assert(sizeof(float) == sizeof(uint32_t), "float is IEEE 754 binary32");

static inline float scale_of(const nb_quantize_params *p)
{
    float scale;
    memcpy(&scale, &p->scale_bits, sizeof scale);
    return scale;
}

void nb_quantize_f32_s8(const nb_quantize_params *p, const float *input, int8_t *output)
{
    const float scale = scale_of(p);
    for (int32_t i = 0; i < p->count; i++) {
        const float x = input[i] / scale;
        int32_t rounded = 0; /* also for a NaN */
        if (x >= 1024.0f) {
            rounded = 1024;
        } else if (x <= -1024.0f) {
            rounded = -1024;
        } else if (x >= 0.0f) {
            rounded = (int32_t)x;
            rounded += x - (float)rounded >= 0.5f ? 1 : 0;
        } else if (x < 0.0f) {
            rounded = (int32_t)x;
            rounded -= (float)rounded - x >= 0.5f ? 1 : 0;
        }
        output[i] = (int8_t)nb_clamp(rounded + p->zero, INT8_MIN, INT8_MAX);
    }
}

void nb_dequantize_s8_f32(const nb_quantize_params *p, const int8_t *input, float *output)
{
    const float scale = scale_of(p);
    for (int32_t i = 0; i < p->count; i++) {
        output[i] = scale * (float)(input[i] - p->zero);
    }
}

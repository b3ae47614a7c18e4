/* lut_s8.c: any function of one int8 value, by table, portable C.
 *
 * The table holds TensorFlow Lite Micro's result for each of the 256 inputs; it is computed when
 * the network is compiled. Two loads, one store and the loop's two: about five instructions per
 * element.
 */
#include "nb_kernels.h"

void nb_lut_s8(const nb_lut_s8_params *p, const int8_t *input, const int8_t *table, int8_t *output)
{
    for (int32_t n = p->count; n > 0; n--) {
        *output++ = table[(uint8_t)*input++];
    }
}

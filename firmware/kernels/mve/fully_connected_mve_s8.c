/* fully_connected_mve_s8.c: int8 dense layer for cores with Helium (MVE).
 *
 * Equals TensorFlow Lite Micro's reference FULLY_CONNECTED with one scale for all outputs, both
 * roundings included. One input meets eight output channels at a time; weights lie in the order in
 * which they are used: per eight channels, per sixteen taps, sixteen taps of each.
 *
 * Where the instructions go: per sixteen taps and eight channels, 128 multiply-adds, one load of
 * activations, eight of weights and eight VMLADAVA: 17, with the loop over 32 taps 18, so 0.14 per
 * multiply-add; some 5 per output. Assembly for the reason that conv2d_mve_s8.c gives.
 */
#include "nb_kernels_mve.h"
#include "nb_mve.h"

/* clang-format off */
#define ONE(acc) \
    "vldrb.8 q1, [r1], #16\n\t" \
    "vmladava.s8 " acc ", q0, q1\n\t"
#define STEP \
    "vldrb.8 q0, [r3], #16\n\t" \
    ONE("r0") ONE("r2") ONE("r4") ONE("r6") ONE("r8") ONE("r10") ONE("r12") ONE("lr")

__attribute__((naked, noinline)) static void run_8x1(nb_mve_pass *pass __attribute__((unused))) {
    __asm volatile(
        "push {r4-r11, lr}\n\t"
        "vpush {d8-d11}\n\t"
        "mov r11, r0\n\t"
        "ldr r1, [r11]\n\t"
        "ldr r9, [r11, #16]\n\t"
        "ldrd r3, r5, [r11, #40]\n\t"
        "vdup.32 q4, r3\n\t"
        "vdup.32 q5, r5\n"
        "1:\n\t" /* eight channels */
        "ldr r3, [r11, #4]\n\t"
        "ldr r7, [r11, #12]\n\t"
        "ldrd r0, r2, [r9], #8\n\t"
        "ldrd r4, r6, [r9], #8\n\t"
        "ldrd r8, r10, [r9], #8\n\t"
        "ldrd r12, lr, [r9], #8\n\t"
        "lsrs r7, r7, #1\n\t"
        "bcc 2f\n\t"
        STEP
        "2:\n\t"
        "beq 4f\n"
        "3:\n\t"
        STEP STEP
        "subs r7, #1\n\t"
        "bne 3b\n"
        "4:\n\t"
        NB_MVE_GATHER("q0", "r0", "r2", "r4", "r6")
        NB_MVE_GATHER("q1", "r8", "r10", "r12", "lr")
        "ldrd r3, r5, [r11, #48]\n\t"
        "vqrdmulh.s32 q0, q0, r3\n\t"
        "vqrdmulh.s32 q1, q1, r3\n\t"
        "ldrd r7, r3, [r11, #32]\n\t"
        "cbz r7, 5f\n\t"
        "vdup.32 q3, r5\n\t"
        NB_MVE_AWAY("q0", "q3", "q2")
        NB_MVE_AWAY("q1", "q3", "q2")
        "5:\n\t"
        "vrshl.s32 q0, r5\n\t"
        "vrshl.s32 q1, r5\n\t"
        "vadd.i32 q0, q0, r3\n\t"
        "vadd.i32 q1, q1, r3\n\t"
        "ldr r3, [r11, #20]\n\t"
        "ldr r7, [r11, #28]\n\t"
        "vmax.s32 q0, q0, q4\n\t"
        "vmax.s32 q1, q1, q4\n\t"
        "vmin.s32 q0, q0, q5\n\t"
        "vmin.s32 q1, q1, q5\n\t"
        "subs r7, #8\n\t"
        "blt 6f\n\t"
        "vstrb.32 q0, [r3], #4\n\t"
        "vstrb.32 q1, [r3], #4\n\t"
        "str r3, [r11, #20]\n\t"
        "str r7, [r11, #28]\n\t"
        "bne.w 1b\n\t"
        "b 7f\n"
        "6:\n\t" /* fewer than eight channels are left */
        "adds r7, #8\n\t"
        "vctp.32 r7\n\t"
        "vpst\n\t"
        "vstrbt.32 q0, [r3]\n\t"
        "subs r7, #4\n\t"
        "ble 7f\n\t"
        "vctp.32 r7\n\t"
        "vpst\n\t"
        "vstrbt.32 q1, [r3, #4]\n"
        "7:\n\t"
        "vpop {d8-d11}\n\t"
        "pop {r4-r11, pc}");
}
/* clang-format on */

void nb_mve_fully_connected_s8(const nb_mve_fully_connected_s8_params *p, const int8_t *input,
                               const int8_t *weights, const int32_t *sums, int8_t *column,
                               int8_t *output)
{
    nb_mve_pass pass = {0};
    pass.blocks = (p->in_c + 15) >> 4;
    pass.exact = p->exact;
    pass.zero = p->output_zero;
    pass.low = p->low;
    pass.high = p->high;
    pass.multiplier = p->multiplier;
    pass.shift = p->shift;
    for (int32_t b = p->batches; b > 0; b--) {
        pass.x0 = input;
        if (column != NULL) {
            nb_mve_copy(column, input, p->in_c);
            pass.x0 = column;
        }
        pass.weights = weights;
        pass.quant = sums;
        pass.out0 = output;
        pass.channels = p->out_c;
        run_8x1(&pass);
        input += p->in_c;
        output += p->out_c;
    }
}

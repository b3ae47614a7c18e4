/* engine.c: the model's life: first init at boot, measured; what to answer when it failed. */
#include "nb_harness.h"

uint32_t nb_engine_cold_count;
static int32_t init_status;

/* A first init that faults must not fault again for ever: the guard is kept over the reset that
 * follows the fault, and this boot leaves the engine off. The next reset tries again. */
void nb_engine_boot(void)
{
    if (nb_noinit.init_guard != 0) {
        init_status = -1;
    } else {
        nb_noinit.init_guard = 1;
        nb_noinit_seal();
        NB_STAGE_WINDOW(NB_STAGE_INIT, nb_engine_cold_count, init_status = nb_model_init());
    }
    nb_noinit.init_guard = 0;
    nb_noinit_seal();
}

void nb_engine_error(int32_t status)
{
    nb_put_text("e-[" NB_E_ENGINE_FAILED_TEXT ": ");
    nb_put_i32(status);
    nb_put_line("]");
}

bool nb_engine_ready(void)
{
    if (init_status != 0) {
        nb_engine_error(init_status);
        return false;
    }
    return true;
}

int32_t nb_engine_once(void)
{
    const int32_t status = nb_model_load(nb_fixture.input);
    return status != 0 ? status : nb_model_infer();
}

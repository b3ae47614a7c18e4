/* fault.c: the last words of a firmware that failed, and a fresh start. */
#include "nb_harness.h"

static const char *kind_name(nb_fault_kind kind)
{
    switch (kind) {
    case NB_FAULT_BUS:
        return "bus";
    case NB_FAULT_USAGE:
        return "usage";
    case NB_FAULT_MEM:
        return "mem";
    case NB_FAULT_NPU:
        return "npu";
    default:
        return "hard";
    }
}

_Noreturn void nb_fault_report(const nb_fault *fault)
{
    static bool reporting;
    if (!reporting) {
        reporting = true;
        nb_put_fresh();
        nb_record_begin("fault");
        nb_record_text("kind", kind_name(fault->kind));
        nb_record_u64("pc", fault->pc);
        nb_record_u64("lr", fault->lr);
        nb_record_u32("psr", fault->psr);
        nb_record_u32("cfsr", fault->cfsr);
        nb_record_u32("hfsr", fault->hfsr);
        nb_record_u64("addr", fault->addr);
        nb_record_end();
        nb_hal_flush();
    }
    nb_hal_reset();
}

# Traps of every kind that the RISC-V model plays, each told over the K210's UARTHS as three words of
# eight bytes: mcause, mepc minus the image's start, mtval. Then cycles before and after a loop of
# known length, a sleep with the timer as its alarm, and the end: wait for input, for ever.
    .option norvc
    .section .text.start, "ax"
    .globl _start
_start:
    li sp, 0x80210000
    la t0, handler
    csrw mtvec, t0
    ecall
    ebreak
    .word 0xffffffff
    ld a0, 16(zero)
    li t1, 0x80000000
    sd zero, 8(t1)
    csrr a0, mcycle
    call tell
    li t2, 1000
1:  addi t2, t2, -1
    bnez t2, 1b
    csrr a0, mcycle
    call tell
    li s1, 0x0200bff8
    li s2, 0x02004000
    ld s3, 0(s1)
    addi s3, s3, 100
    sd s3, 0(s2)
    li t0, 0x80
    csrs mie, t0
2:  wfi
    ld s4, 0(s1)
    bltu s4, s3, 2b
    sub a0, s4, s3
    call tell
    csrwi mcycle, 0
    li t3, 77
    csrw mcycle, t3
    csrr a0, mcycle
    call tell
    li s1, 0x38000004
3:  lw a0, 0(s1)
    j 3b

# Eight bytes of a0, lowest first.
tell:
    li t4, 0x38000000
    li t5, 8
4:  andi t6, a0, 255
    sw t6, 0(t4)
    srli a0, a0, 8
    addi t5, t5, -1
    bnez t5, 4b
    ret

    .balign 4
handler:
    mv s5, ra
    csrr a0, mcause
    call tell
    csrr a0, mepc
    li t0, 0x80000000
    sub a0, a0, t0
    call tell
    csrr a0, mtval
    call tell
    csrr t0, mepc
    addi t0, t0, 4
    csrw mepc, t0
    mv ra, s5
    mret

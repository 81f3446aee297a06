/* Runs a program as Linux 3.18 would see it: every system call above 386, the
 * highest that 3.18 has on ARM, answers ENOSYS; the ARM-private ones at 0xF0000
 * pass. With -k such a call ends the program instead, to find who makes it; with
 * -r the call that reboots does, so that what went before it can be looked at.
 *
 * use: nr386 [-k|-r|-p] PROGRAM [ARGUMENT...]
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

int main(int argc, char **argv) {
    int first = 1;
    unsigned int answer = SECCOMP_RET_ERRNO | ENOSYS, reboot = SECCOMP_RET_ALLOW;
    if (argc > 1 && strcmp(argv[1], "-k") == 0) {
        answer = SECCOMP_RET_KILL;
        first = 2;
    } else if (argc > 1 && strcmp(argv[1], "-r") == 0) {
        reboot = SECCOMP_RET_KILL_PROCESS;
        first = 2;
    } else if (argc > 1 && strcmp(argv[1], "-p") == 0) {
        reboot = SECCOMP_RET_ERRNO | EPERM;
        first = 2;
    }
    if (argc <= first) {
        fprintf(stderr, "use: nr386 [-k|-r|-p] PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_ARM, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0xF0000, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 386, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_reboot, 2, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, reboot),
    };
    struct sock_fprog filter = {sizeof code / sizeof code[0], code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        perror("nr386: seccomp");
        return 125;
    }
    execvp(argv[first], argv + first);
    perror(argv[first]);
    return 127;
}

#include "exec/seccomp.h"

const struct seccomp_group seccomp_allowed[] = {
    {SECCOMP_ON_ALL,
     "accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown "
     "chown32 "
     "clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
     "clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup "
     "dup2 dup3 "
     "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
     "epoll_wait_old "
     "eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 "
     "fallocate "
     "fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 "
     "fdatasync "
     "fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs "
     "fstatfs64 fsync "
     "ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake "
     "futimesat"},
    {SECCOMP_ON_ALL,
     "getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 "
     "getgroups "
     "getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom "
     "getresgid "
     "getresgid32 getresuid getresuid32 getrlimit get_robust_list getrusage getsid getsockname "
     "getsockopt "
     "get_thread_area gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch "
     "inotify_init "
     "inotify_init1 inotify_rm_watch io_cancel ioctl io_destroy io_getevents io_pgetevents "
     "io_pgetevents_time64 ioprio_get ioprio_set io_setup io_submit ipc kill landlock_add_rule "
     "landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen "
     "listmount "
     "listxattr listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64"},
    {SECCOMP_ON_ALL,
     "madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod "
     "mknodat mlock "
     "mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive "
     "mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget "
     "msgrcv "
     "msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat _newselect "
     "open openat "
     "openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect "
     "poll ppoll "
     "ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease process_vm_readv "
     "process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2"},
    {SECCOMP_ON_ALL,
     "read readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg "
     "remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall "
     "riscv_hwprobe rmdir "
     "rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
     "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity sched_getattr "
     "sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler "
     "sched_rr_get_interval "
     "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
     "sched_setscheduler "
     "sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile "
     "sendfile64 "
     "sendmmsg sendmsg sendto setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups "
     "setgroups32 "
     "setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid "
     "setresuid32 setreuid "
     "setreuid32 setrlimit set_robust_list setsid setsockopt set_thread_area set_tid_address "
     "setuid setuid32 "
     "setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 "
     "sigprocmask "
     "sigreturn socketpair splice stat stat64 statfs statfs64 statmount statx symlink "
     "symlinkat "
     "sync sync_file_range syncfs sysinfo"},
    {SECCOMP_ON_ALL, "tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime "
                     "timer_gettime64 timer_settime "
                     "timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
                     "timerfd_settime timerfd_settime64 "
                     "times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat "
                     "uretprobe utime utimensat "
                     "utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev"},
    {SECCOMP_ON_ALL, "chroot"}, /* CAP_SYS_CHROOT is in the default set */
    {SECCOMP_ON_X86, "arch_prctl modify_ldt"},
    {SECCOMP_ON_ARM,
     "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"},
    {SECCOMP_ON_RISCV, "riscv_flush_icache"},
};
const guint seccomp_n_allowed = G_N_ELEMENTS(seccomp_allowed);

const char seccomp_refused[] =
    "open_by_handle_at bpf fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
    "lsm_get_self_attr "
    "lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open "
    "quotactl "
    "quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare reboot "
    "delete_module "
    "init_module finit_module acct kcmp pidfd_getfd process_madvise iopl ioperm settimeofday stime "
    "clock_settime clock_settime64 vhangup get_mempolicy mbind set_mempolicy "
    "set_mempolicy_home_node "
    "add_key request_key keyctl io_uring_setup io_uring_enter io_uring_register userfaultfd swapon "
    "swapoff "
    "kexec_load kexec_file_load pivot_root move_pages migrate_pages nfsservctl open_tree_attr";

const struct seccomp_number seccomp_numbers[] = {
    {"process_mrelease", 448},  {"futex_waitv", 449},      {"set_mempolicy_home_node", 450},
    {"cachestat", 451},         {"fchmodat2", 452},        {"map_shadow_stack", 453},
    {"futex_wake", 454},        {"futex_wait", 455},       {"futex_requeue", 456},
    {"statmount", 457},         {"listmount", 458},        {"lsm_get_self_attr", 459},
    {"lsm_set_self_attr", 460}, {"lsm_list_modules", 461}, {"mseal", 462},
    {"setxattrat", 463},        {"getxattrat", 464},       {"listxattrat", 465},
    {"removexattrat", 466},     {"open_tree_attr", 467},
};
const guint seccomp_n_numbers = G_N_ELEMENTS(seccomp_numbers);

/* All but the families that no build needs and whose code has been exploited (AF_VSOCK 40, AF_ALG
 * 38 and long-dead protocols). */
const struct seccomp_span seccomp_socket_families[] = {
    {0, 11}, {13, 18}, {21, 22}, {24, 24}, {26, 33}, {35, 36}, {39, 39}, {41, 45},
};
const guint seccomp_n_socket_families = G_N_ELEMENTS(seccomp_socket_families);

const struct seccomp_span seccomp_personalities[] = {
    {0, 0},
    {0x8, 0x8},               /* PER_LINUX32 */
    {0x20000, 0x20000},       /* UNAME26 */
    {0x20008, 0x20008},       /* both */
    {0xffffffff, 0xffffffff}, /* ask only */
};
const guint seccomp_n_personalities = G_N_ELEMENTS(seccomp_personalities);

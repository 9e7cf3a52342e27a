/* Sets a system call filter that reports sockets (seccomp.h) and passes its listener to varve over
 * the report socket; in the process that becomes the program, with raw system calls only. The
 * program never has the listener: it is closed before anything of the image runs. Internal to this
 * room. */
#ifndef VARVE_EXEC_LISTENER_H
#define VARVE_EXEC_LISTENER_H

/* fprog: the kernel's struct sock_fprog. 0, or -errno. */
long listener_install(int report_fd, const void *fprog);

#endif

/* Tests of a whole step, snapshot and sandbox together, run as root and again in a user namespace.
 */
#ifndef VARVE_TESTS_EXEC_STEP_H
#define VARVE_TESTS_EXEC_STEP_H

void step_add_tests(void);

#endif

/* Shell quoting for commands in messages. */
#ifndef VARVE_BASE_SHELLWORD_H
#define VARVE_BASE_SHELLWORD_H

/* word, quoted if necessary. */
char *shell_word(const char *word);
/* The same for a path: one that starts with '-' gets "./", so that it is not taken as an option. */
char *shell_path(const char *path);

#endif

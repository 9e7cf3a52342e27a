/* Words of the commands that messages tell to run: as a shell takes them. */
#ifndef VARVE_BASE_SHELLWORD_H
#define VARVE_BASE_SHELLWORD_H

/* word, in quotes where it needs them. Newly allocated. */
char *shell_word(const char *word);
/* The same of a path: one that begins with '-' would be taken for an option, so it gets "./". */
char *shell_path(const char *path);

#endif

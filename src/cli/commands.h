/* The functions and options of all commands, for the table; each is in cmd_<name>.c. */
#ifndef VARVE_CLI_COMMANDS_H
#define VARVE_CLI_COMMANDS_H

#include "cli/command.h"

int cmd_bake(const struct command *c, int argc, char **argv, GError **err);
int cmd_build(const struct command *c, int argc, char **argv, GError **err);
int cmd_debug(const struct command *c, int argc, char **argv, GError **err);
int cmd_images(const struct command *c, int argc, char **argv, GError **err);
int cmd_inspect(const struct command *c, int argc, char **argv, GError **err);
int cmd_history(const struct command *c, int argc, char **argv, GError **err);
int cmd_tag(const struct command *c, int argc, char **argv, GError **err);
int cmd_rmi(const struct command *c, int argc, char **argv, GError **err);
int cmd_push(const struct command *c, int argc, char **argv, GError **err);
int cmd_pull(const struct command *c, int argc, char **argv, GError **err);
int cmd_load(const struct command *c, int argc, char **argv, GError **err);
int cmd_save(const struct command *c, int argc, char **argv, GError **err);
int cmd_run(const struct command *c, int argc, char **argv, GError **err);
int cmd_ps(const struct command *c, int argc, char **argv, GError **err);
int cmd_exec(const struct command *c, int argc, char **argv, GError **err);
int cmd_stop(const struct command *c, int argc, char **argv, GError **err);
int cmd_kill(const struct command *c, int argc, char **argv, GError **err);
int cmd_wait(const struct command *c, int argc, char **argv, GError **err);
int cmd_rm(const struct command *c, int argc, char **argv, GError **err);
int cmd_logs(const struct command *c, int argc, char **argv, GError **err);
int cmd_layers(const struct command *c, int argc, char **argv, GError **err);
int cmd_du(const struct command *c, int argc, char **argv, GError **err);
int cmd_prune(const struct command *c, int argc, char **argv, GError **err);
int cmd_cache(const struct command *c, int argc, char **argv, GError **err);
int cmd_doctor(const struct command *c, int argc, char **argv, GError **err);
int cmd_doctor(const struct command *c, int argc, char **argv, GError **err);
int cmd_fsck(const struct command *c, int argc, char **argv, GError **err);
int cmd_login(const struct command *c, int argc, char **argv, GError **err);
int cmd_logout(const struct command *c, int argc, char **argv, GError **err);
int cmd_parse(const struct command *c, int argc, char **argv, GError **err);
int cmd_completion(const struct command *c, int argc, char **argv, GError **err);
int cmd_platforms(const struct command *c, int argc, char **argv, GError **err);
int cmd_version(const struct command *c, int argc, char **argv, GError **err);

/* Option rows of each command live in its own file. */
extern const struct option_row bake_option_rows[], build_options_rows[], run_option_rows[],
    images_option_rows[], inspect_option_rows[], history_option_rows[], logs_option_rows[],
    push_option_rows[], pull_option_rows[], load_option_rows[], save_option_rows[],
    prune_option_rows[], doctor_option_rows[], fsck_option_rows[], du_option_rows[],
    login_option_rows[], rmi_option_rows[], layers_option_rows[], parse_option_rows[],
    ps_option_rows[], exec_option_rows[], stop_option_rows[], kill_option_rows[], rm_option_rows[],
    platforms_option_rows[], version_option_rows[], cache_option_rows[];

#endif

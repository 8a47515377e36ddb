/*
 * version_command.c -- `baton version`: this build and the libraries it runs with.
 */
#include "cli.h"
#include <stdio.h>

int command_version(struct cli *cli)
{
    cli_expect(cli, 0, 0);
    if (cli->output == OUTPUT_TEXT)
        (void)printf("baton %s\nlibrdkafka %s\njansson %s\n", BATON_VERSION, kafka_library_version(), jansson_version_str());
    else
        (void)printf("{\"version\":\"%s\",\"librdkafka\":\"%s\",\"jansson\":\"%s\"}\n", BATON_VERSION, kafka_library_version(),
                     jansson_version_str());
    return EXIT_OK;
}

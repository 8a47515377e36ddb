/*
 * print_definitions.c -- random definitions as text, one a line: for the tests that run them on a real Kafka and Redis.
 *
 * usage: print_definitions SEED COUNT
 */
#include "random_definition.h"

int main(int argc, char **argv)
{
    struct random random = {.state = argc == 3 ? strtoull(argv[1], NULL, 10) : 0};

    if (argc != 3)
        return 2;
    for (int count = atoi(argv[2]); count > 0; count--) {
        struct buffer text = {0};

        random_definition(&random, &text);
        (void)puts(buffer_cstr(&text));
        buffer_free(&text);
    }
    return 0;
}

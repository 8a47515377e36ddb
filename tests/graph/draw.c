/*
 * draw.c -- graph_draw from the command line, for test_graph.py. Usage: draw FORMAT DEFINITION [STATE]
 */
#include <baton/graph.h>
#include <baton/json.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *read_json(const char *path)
{
    json_error_t why;
    json_t *value = json_load_file(path, 0, &why);

    if (value == NULL) {
        (void)fprintf(stderr, "%s: %s\n", path, why.text);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    enum graph_format format = GRAPH_SVG;
    struct buffer out = {0};
    struct baton_error err = {0};
    json_t *definition = NULL, *saga = NULL;

    if (argc < 3 || !graph_format_parse(argv[1], &format))
        return 2;
    definition = read_json(argv[2]);
    saga = argc > 3 ? read_json(argv[3]) : NULL;
    if (graph_draw(definition, saga, format, &out, &err) != BATON_OK)
        return 1;
    (void)fwrite(out.data, 1, out.len, stdout);
    buffer_free(&out);
    json_decref(definition);
    json_decref(saga);
    return 0;
}

/*
 * schema_oracle.cpp -- the core's JSON Schema against another implementation of draft 7 (valijson): random schemas, random payloads, the same
 * answers.
 *
 * Left out, because valijson does otherwise: 1.0 as an integer, doubles as multiples, patterns by character (it takes
 * bytes), propertyNames (it checks nothing there). BATON_TEST_SEED repeats a run.
 */
#include "schemas.hpp"
#include <cstdlib>
#include <iostream>
#include <random>

extern "C" {
#include <baton/json.h>
#include <baton/schema.h>
}

namespace
{

const int schemas_count = 4000;
const int payloads_each = 8;

class Maker
{
  public:
    explicit Maker(unsigned long seed) : random_(seed)
    {
    }
    json payload(int depth)
    {
        json value;

        switch (below(depth > 0 ? 9 : 6)) {
        case 0: return nullptr;
        case 1: return below(2) == 0;
        case 2: return static_cast<int>(below(7)) - 1;
        case 3: return static_cast<double>(below(8)) + 0.5;
        case 4:
        case 5: return text();
        case 6:
            value = json::array();
            for (size_t n = below(4); n > 0; n--)
                value.push_back(payload(depth - 1));
            return value;
        default:
            value = json::object();
            for (size_t n = below(4); n > 0; n--)
                value[name()] = payload(depth - 1);
            return value;
        }
    }
    /* A $ref names a definition from this one on, which refers to later ones only: nothing goes round. */
    json schema(int depth, int definition)
    {
        json made = json::object();

        if (below(12) == 0)
            return below(3) > 0;
        if (definition < definitions_count && below(8) == 0)
            return {{"$ref", "#/definitions/d" + std::to_string(definition + below(static_cast<size_t>(definitions_count - definition)))}};
        for (size_t n = 1 + below(3); n > 0; n--)
            add(made, depth, definition);
        return made;
    }
    json document()
    {
        json made = schema(3, 0);

        if (made.is_boolean() || made.contains("$ref"))
            made = {{"allOf", {made}}};
        for (int i = 0; i < definitions_count; i++)
            made["definitions"]["d" + std::to_string(i)] = schema(2, i + 1);
        return made;
    }

  private:
    static const int definitions_count = 3;
    std::mt19937_64 random_;

    size_t below(size_t bound)
    {
        return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
    }
    std::string name()
    {
        static const char *const names[] = {"a", "b", "ab", "x-1"};

        return names[below(4)];
    }
    std::string text()
    {
        static const char *const texts[] = {"", "a", "ab", "abc", "b1", "12", "\xc3\xa9", "x y"};

        return texts[below(8)];
    }
    std::string pattern()
    {
        static const char *const patterns[] = {"^a", "b$", "^[a-c]+$", "\\d", "^(a|12)$", "a.c", "^[a-z]{2}$", "x|^$", "^[^a]*$", "^a?b+\\d?$"};

        return patterns[below(10)];
    }
    json schemas(int depth, int definition)
    {
        json list = json::array();

        for (size_t n = 1 + below(3); n > 0; n--)
            list.push_back(schema(depth - 1, definition));
        return list;
    }
    json names()
    {
        json list = json::array({name()});

        if (below(2) == 0 && list[0] != "b")
            list.push_back("b");
        return list;
    }
    void add(json &made, int depth, int definition)
    {
        static const char *const types[] = {"null", "boolean", "object", "array", "string", "number", "integer"};

        switch (below(depth > 0 ? 28 : 16)) {
        case 0:
        case 1: made["type"] = types[below(7)]; break;
        case 2: made["type"] = json::array({types[below(3)], types[3 + below(2)], types[5 + below(2)]}); break;
        case 3: made["enum"] = json::array({payload(1), "only", 77}); break;
        case 4: made["const"] = payload(1); break;
        case 5: made["maximum"] = below(5); break;
        case 6: made["exclusiveMaximum"] = below(5); break;
        case 7: made["minimum"] = static_cast<double>(below(5)) + 0.5; break;
        case 8: made["exclusiveMinimum"] = below(5); break;
        case 9: made["allOf"] = {{{"type", "integer"}, {"multipleOf", 1 + below(3)}}}; break;
        case 10: made["maxLength"] = below(3); break;
        case 11: made["minLength"] = below(3); break;
        case 12: made["pattern"] = pattern(); break;
        case 13: made["required"] = names(); break;
        case 14: made[below(2) == 0 ? "maxItems" : "minItems"] = below(3); break;
        case 15: made[below(2) == 0 ? "maxProperties" : "minProperties"] = below(3); break;
        case 16: made["items"] = schema(depth - 1, definition); break;
        case 17:
            made["items"] = schemas(depth, definition);
            made["additionalItems"] = schema(depth - 1, definition);
            break;
        case 18: made["uniqueItems"] = true; break;
        case 19: made["contains"] = schema(depth - 1, definition); break;
        case 20:
        case 21: made["properties"][name()] = schema(depth - 1, definition); break;
        case 22: made["patternProperties"][pattern()] = schema(depth - 1, definition); break;
        case 23: made["additionalProperties"] = schema(depth - 1, definition); break;
        case 24: made["dependencies"][name()] = below(2) == 0 ? names() : schema(depth - 1, definition); break;
        case 25: made[below(2) == 0 ? "allOf" : "anyOf"] = schemas(depth, definition); break;
        case 26:
            if (below(2) == 0)
                made["oneOf"] = schemas(depth, definition);
            else
                made["not"] = schema(depth - 1, definition);
            break;
        default:
            made["if"] = schema(depth - 1, definition);
            made["then"] = schema(depth - 1, definition);
            made["else"] = schema(depth - 1, definition);
            break;
        }
    }
};

void say(void *context, bool warning, const char *pointer, bool, const char *text)
{
    if (!warning)
        *static_cast<std::string *>(context) += std::string(pointer) + " " + text + "\n";
}

json_t *read(const json &document)
{
    const std::string text = document.dump();
    json_t *value = nullptr;
    struct baton_error err = {};

    if (json_parse(text.data(), text.size(), &json_default_limits, &value, &err) != BATON_OK)
        throw std::runtime_error(text + ": " + err.text);
    return value;
}

} // namespace

int main()
{
    const char *given = std::getenv("BATON_TEST_SEED");
    const unsigned long seed = given != nullptr ? std::strtoul(given, nullptr, 10) : std::random_device()();
    Maker maker(seed);
    int failures = 0, valid = 0, invalid = 0;

    std::cout << "BATON_TEST_SEED=" << seed << "\n";
    for (int i = 0; i < schemas_count && failures < 5; i++) {
        const json document = maker.document();
        json_t *doc = read(document);
        struct schema *schema = nullptr;
        std::string said;
        valijson::Schema theirs;
        valijson::SchemaParser parser;

        parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(document), theirs);
        if (schema_compile(doc, say, &said, &schema) != BATON_OK) {
            std::cerr << document.dump() << "\nis refused: " << said;
            failures++;
        }
        for (int k = 0; k < payloads_each && schema != nullptr; k++) {
            const json payload = maker.payload(3);
            valijson::Validator validator(valijson::Validator::kStrongTypes);
            const bool wanted = validator.validate(theirs, valijson::adapters::NlohmannJsonAdapter(payload), nullptr);
            json_t *value = read(payload);
            struct baton_error err = {};
            const bool got = schema_check(schema, value, &err) == BATON_OK;

            if (got != wanted) {
                std::cerr << document.dump() << "\n" << payload.dump() << "\n" << (got ? "is valid here, not there" : err.text) << "\n";
                failures++;
            }
            valid += wanted;
            invalid += !wanted;
            json_decref(value);
        }
        schema_free(schema);
        json_decref(doc);
    }
    std::cout << valid << " valid, " << invalid << " invalid\n";
    if (valid < schemas_count || invalid < schemas_count) {
        std::cerr << "too one-sided to say anything\n";
        failures++;
    }
    return failures == 0 ? 0 : 1;
}

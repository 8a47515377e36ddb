/*
 * schema_check.cpp -- holds the JSON Schemas of schemas/ against documents.
 *
 *   schema_check described SCHEMAS
 *       every schema has $id, title, and a description for each of its own members
 *   schema_check accept SCHEMAS DIRECTORY
 *       every document <schema>--<what>.json is valid
 *   schema_check refuse SCHEMAS DIRECTORY
 *       every document <schema>--<why>.json is not
 *
 * Owns:     nothing but this check.
 */
#include "schemas.hpp"
#include <iostream>
#include <set>

namespace
{

const std::string id_prefix = "https://baton.example/schemas/";

int failures = 0;

void failed(const std::string &where, const std::string &what)
{
    std::cerr << where << ": " << what << "\n";
    failures++;
}

std::string schema_name(const fs::path &path)
{
    const std::string name = path.filename().string();

    return name.substr(0, name.size() - schema_suffix.size());
}

/* An editor shows these: a member without a description says nothing to its user. */
void check_members(const std::string &where, const json &schema)
{
    if (schema.is_array()) {
        for (const auto &item : schema)
            check_members(where, item);
        return;
    }
    if (!schema.is_object())
        return;
    for (const auto &[key, value] : schema.items()) {
        if (key == "properties" && schema.value("type", json()) != json()) {
            for (const auto &[name, member] : value.items()) {
                if (member.is_object() && !member.contains("description") && !member.contains("$ref"))
                    failed(where, "member \"" + name + "\" has no description");
            }
        }
        if (key != "enum" && key != "const" && key != "examples" && key != "default")
            check_members(where, value);
    }
}

void check_described(const fs::path &schemas)
{
    std::set<std::string> ids;

    for (const auto &path : files_in(schemas, schema_suffix)) {
        const json schema = load(path);
        const std::string name = path.filename().string();

        if (schema.value("$id", "") != id_prefix + schema_name(path) + "-1.json")
            failed(name, "$id is not " + id_prefix + schema_name(path) + "-1.json");
        if (schema.value("$schema", "") != "http://json-schema.org/draft-07/schema#")
            failed(name, "$schema is not draft 7");
        if (schema.value("title", "").empty() || schema.value("description", "").empty())
            failed(name, "title or description is missing");
        check_members(name, schema);
        ids.insert(schema.value("$id", ""));
    }
    if (ids.empty())
        failed(schemas.string(), "no schemas");
}

void check_documents(const fs::path &directory, const fs::path &schemas_directory, bool accept)
{
    Schemas schemas(schemas_directory);
    int count = 0;

    for (const auto &path : files_in(directory, ".json")) {
        const std::string name = path.filename().string();
        const auto dashes = name.find("--");
        std::string why;

        if (dashes == std::string::npos) {
            failed(name, "is not named <schema>--<what>.json");
            continue;
        }
        count++;
        why = schemas.check(name.substr(0, dashes), load(path));
        if (accept && !why.empty())
            failed(name, "should be valid:\n" + why);
        else if (!accept && why.empty())
            failed(name, "should be refused");
        else if (!accept)
            std::cout << name << ": refused, as it should be\n";
    }
    std::cout << count << " documents\n";
    if (count == 0)
        failed(directory.string(), "no documents");
}

} // namespace

int main(int argc, char **argv)
{
    const std::string mode = argc > 1 ? argv[1] : "";

    try {
        if (mode == "described" && argc == 3) {
            check_described(argv[2]);
        } else if ((mode == "accept" || mode == "refuse") && argc == 4) {
            check_documents(argv[3], argv[2], mode == "accept");
        } else {
            std::cerr << "usage: schema_check described SCHEMAS | accept|refuse SCHEMAS DIRECTORY\n";
            return 2;
        }
    } catch (const std::exception &error) {
        failed("schema_check", error.what());
    }
    return failures == 0 ? 0 : 1;
}

/*
 * schemas.hpp -- the JSON Schemas of a directory, and documents checked by them.
 *
 * May use:  valijson (draft 7), nlohmann/json.
 */
#ifndef BATON_TESTS_SCHEMAS_HPP
#define BATON_TESTS_SCHEMAS_HPP

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

namespace fs = std::filesystem;
using nlohmann::json;

const std::string schema_suffix = ".schema.json";

inline json load(const fs::path &path)
{
    std::ifstream file(path);

    if (!file)
        throw std::runtime_error(path.string() + ": cannot be read");
    return json::parse(file);
}

inline std::vector<fs::path> files_in(const fs::path &directory, const std::string &suffix)
{
    std::vector<fs::path> files;

    for (const auto &entry : fs::directory_iterator(directory)) {
        const std::string name = entry.path().filename().string();

        if (name.size() > suffix.size() && name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0)
            files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

class Schemas
{
  public:
    explicit Schemas(const fs::path &directory) : directory_(directory)
    {
    }

    /* Empty if the document is valid, else why it is not. */
    std::string check(const std::string &name, const json &document)
    {
        valijson::Validator validator(valijson::Validator::kStrongTypes);
        valijson::ValidationResults results;
        valijson::adapters::NlohmannJsonAdapter target(document);
        std::string why;

        if (validator.validate(schema(name), target, &results))
            return "";
        for (const auto &error : results) {
            for (const auto &token : error.context)
                why += token;
            why += ": " + error.description + "\n";
        }
        return why.empty() ? "not valid" : why;
    }

  private:
    const valijson::Schema &schema(const std::string &name)
    {
        auto found = parsed_.find(name);

        if (found == parsed_.end()) {
            const json text = load(directory_ / (name + schema_suffix));
            valijson::adapters::NlohmannJsonAdapter adapter(text);
            valijson::SchemaParser parser;

            found = parsed_.try_emplace(name).first;
            parser.populateSchema(adapter, found->second);
        }
        return found->second;
    }

    fs::path directory_;
    std::map<std::string, valijson::Schema> parsed_;
};

#endif

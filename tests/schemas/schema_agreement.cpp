/*
 * schema_agreement.cpp -- a schema and the C that reads the same documents say the same.
 *
 *   schema_agreement definition|configuration SCHEMAS GOOD BAD [FILE...]
 *
 * Every good document and FILE is accepted by both, every bad one refused by both; so are thousands of mutants: members removed, added,
 * renamed, retyped, moved. What the C refuses beyond shape is a named list (parsers.c). BATON_TEST_SEED repeats a run.
 */
#include "parsers.h"
#include "schemas.hpp"
#include <cstdlib>
#include <iostream>
#include <random>

namespace
{

const int mutants_count = 2000;
const int mutations_max = 2;

class Agreement
{
  public:
    Agreement(const std::string &kind, const fs::path &schemas)
        : kind_(kind), name_(kind == "definition" ? "saga-definition" : kind), schemas_(schemas),
          file_(fs::temp_directory_path() / ("baton-agreement-" + std::to_string(std::random_device()()) + ".json"))
    {
    }
    Agreement(const Agreement &) = delete;
    Agreement &operator=(const Agreement &) = delete;
    ~Agreement()
    {
        std::error_code ignored;

        fs::remove(file_, ignored);
    }

    const std::string &name() const
    {
        return name_;
    }
    /* Both say the same; the C's verdict. */
    verdict check(const std::string &what, const json &document)
    {
        char why[4096] = "";
        const std::string text = document.dump(2), schema = schemas_.check(name_, document);
        const verdict said = kind_ == "definition" ? parser_definition(text.c_str(), why, sizeof why)
                                                   : parser_configuration(text.c_str(), file_.c_str(), why, sizeof why);
        if (schema.empty() ? said == VERDICT_REFUSED : said == VERDICT_ACCEPTED)
            fail(what, "schema: " + (schema.empty() ? "accepted" : schema) + "\nparser: " + why + "\n" + text);
        counts_[said]++;
        return said;
    }
    void must(const std::string &what, const json &document, bool accept)
    {
        if ((check(what, document) == VERDICT_ACCEPTED) != accept)
            fail(what, accept ? "should be accepted" : "should be refused");
    }
    void fail(const std::string &what, const std::string &text)
    {
        std::cerr << what << ": " << text << "\n";
        failures_++;
    }
    int failures() const
    {
        return failures_;
    }
    /* Neither says yes, or no, to nearly everything: then nothing would be compared. */
    void check_counts()
    {
        std::cout << counts_[VERDICT_ACCEPTED] << " accepted, " << counts_[VERDICT_REFUSED] << " refused, "
                  << counts_[VERDICT_REFUSED_BEYOND] << " refused for what a schema cannot say\n";
        if (counts_[VERDICT_ACCEPTED] < mutants_count / 20 || counts_[VERDICT_REFUSED] < mutants_count / 20)
            fail(kind_, "the mutants say nothing");
    }

  private:
    std::string kind_, name_;
    Schemas schemas_;
    fs::path file_;
    int failures_ = 0;
    int counts_[3] = {};
};

class Mutator
{
  public:
    explicit Mutator(unsigned long seed) : random_(seed)
    {
    }
    json mutant_of(const std::vector<json> &documents)
    {
        json document = documents[below(documents.size())];

        for (size_t n = 1 + below(mutations_max); n > 0; n--)
            mutate(document, documents[below(documents.size())]);
        return document;
    }

  private:
    size_t below(size_t bound)
    {
        return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
    }
    static void collect(json &value, std::vector<json *> &values)
    {
        values.push_back(&value);
        for (auto &item : value)
            if (value.is_structured())
                collect(item, values);
    }
    json &any_inside(json &document)
    {
        std::vector<json *> values;

        collect(document, values);
        return *values[below(values.size())];
    }
    std::string any_key(const json &object)
    {
        auto it = object.begin();

        std::advance(it, static_cast<long>(below(object.size())));
        return it.key();
    }
    json odd_value()
    {
        static const std::vector<json> values = {
            nullptr, true, false, 0, 1, -1, 2, 8, 1000, 100000000, 1.5, 1.0, 0.0, 1e300, "", "x", "-", ".", "..", "a b", "A_b", "0ms", "0s",
            "5m", "250ms", "7d", "00s", "1w", "s", "5 m", "99999d", "unlimited", "${input.a}", "${", "x${input.a}", "${steps.reserve.status}",
            "a\nb", "info", "json", "baton.replies", std::string(65, 'a'), std::string(201, 'a'), json::array(), json::object(),
            json::array({"A"}), json::array({""}), json::array({1}), {{"a", 1}}, {{"saga", "order"}}, {{"replyTopic", "x.replies"}}};

        return values[below(values.size())];
    }
    std::string renamed(std::string key)
    {
        switch (below(4)) {
        case 0: return key + "s";
        case 1: return key.empty() ? "a" : key.substr(0, key.size() - 1);
        case 2: return key.empty() ? "b" : key + key.back();
        default: return "$" + key;
        }
    }
    void mutate(json &document, json other)
    {
        json &place = any_inside(document);
        std::string key;

        switch (below(6)) {
        case 0: /* a member or an item less */
            if (place.is_object() && !place.empty())
                place.erase(any_key(place));
            else if (place.is_array() && !place.empty())
                place.erase(below(place.size()));
            break;
        case 1: /* one renamed */
            if (place.is_object() && !place.empty()) {
                key = any_key(place);
                const json value = place[key];
                place.erase(key);
                place[renamed(key)] = value;
            }
            break;
        case 2: /* one of another type or value */
            place = odd_value();
            break;
        case 3: /* one more */
            if (place.is_object())
                place[below(2) == 0 ? "extra" : "description"] = odd_value();
            else if (place.is_array())
                place.push_back(place.empty() ? odd_value() : json(place[below(place.size())]));
            break;
        case 4: /* another document's part in its place */
            place = json(any_inside(other));
            break;
        default: /* a member that stands elsewhere */
            json &source = any_inside(other);
            if (place.is_object() && source.is_object() && !source.empty()) {
                key = any_key(source);
                place[key] = json(source[key]);
            }
        }
    }

    std::mt19937_64 random_;
};

/* Each of librdkafka's properties, with its own default: refused by both or by neither. */
void check_kafka_properties(Agreement &agreement)
{
    const char *value = nullptr;

    for (size_t i = 0; const char *name = parser_kafka_property(i, &value); i++) {
        agreement.check(name, {{"kafka", {{name, value}}}});
        agreement.check(name, {{"kafka", {{"consumer", {{name, value}}}}}});
        agreement.check(name, {{"kafka", {{"producer", {{name, value}}}}}});
    }
}

int run(int argc, char **argv)
{
    const char *given = std::getenv("BATON_TEST_SEED");
    const unsigned long seed = given != nullptr ? std::strtoul(given, nullptr, 10) : std::random_device()();
    Agreement agreement(argv[1], argv[2]);
    Mutator mutator(seed);
    std::vector<json> documents;
    const std::string prefix = agreement.name() + "--";

    std::cout << "BATON_TEST_SEED=" << seed << std::endl;
    for (int which = 3; which <= 4; which++) {
        for (const auto &path : files_in(argv[which], ".json")) {
            if (path.filename().string().rfind(prefix, 0) == 0) {
                documents.push_back(load(path));
                agreement.must(path.filename().string(), documents.back(), which == 3);
            }
        }
    }
    for (int i = 5; i < argc; i++) {
        documents.push_back(load(argv[i]));
        agreement.must(argv[i], documents.back(), true);
    }
    if (std::string(argv[1]) == "configuration")
        check_kafka_properties(agreement);
    for (int i = 0; i < mutants_count && agreement.failures() < 10; i++)
        agreement.check("mutant " + std::to_string(i), mutator.mutant_of(documents));
    agreement.check_counts();
    return agreement.failures() == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char **argv)
{
    try {
        if (argc >= 5)
            return run(argc, argv);
        std::cerr << "usage: schema_agreement definition|configuration SCHEMAS GOOD BAD [FILE...]\n";
        return 2;
    } catch (const std::exception &error) {
        std::cerr << "schema_agreement: " << error.what() << "\n";
        return 1;
    }
}

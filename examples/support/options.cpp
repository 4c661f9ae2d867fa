#include "options.hpp"

#include <CLI/CLI.hpp>

namespace examples {

Options read_options(int argc, char** argv, const std::string& description) {
    Options options;
    CLI::App app(description);
    app.add_option("--seed", options.seed, "seed of the first run; the others follow")->capture_default_str();
    const CLI::Option* runs = app.add_option("--runs", options.runs, "initialisations; 20 with --quick")
                                  ->capture_default_str()->check(CLI::Range(1, 1000000));
    app.add_option("--out", options.out, "folder for pictures and report.json")->capture_default_str();
    app.add_flag("--plain", options.plain, "record every step anew, in place of replaying a compiled one");
    app.add_flag("--quick", options.quick, "few runs and coarse pictures");
    try {
        app.parse(argc, argv);
        std::filesystem::create_directories(options.out);
    } catch (const CLI::ParseError& e) {
        std::exit(app.exit(e));
    } catch (const std::filesystem::filesystem_error& e) {
        std::cerr << e.what() << '\n';
        std::exit(1);
    }
    if (options.quick && runs->count() == 0) options.runs = 20;
    return options;
}

}  // namespace examples

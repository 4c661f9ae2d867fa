// report.json: one object, with a section for each example.
#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

namespace examples {

/// Puts `content` in `folder`/report.json as the member `section`, and leaves the other sections as they are. Examples
/// may run side by side: the folder is locked meanwhile, and readers see the old file or the new one, never a part.
void write_report(const std::filesystem::path& folder, const std::string& section,
                  const nlohmann::ordered_json& content);

}  // namespace examples

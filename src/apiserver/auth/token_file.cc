#include "apiserver/auth/token_file.h"

#include "base/log.h"
#include "base/read_file.h"

namespace skiff::apiserver {
namespace {

std::vector<std::string> parseCsv(std::string_view line) {
  std::vector<std::string> columns(1);
  bool inQuotes = false;
  for (char c : line) {
    if (c == '"') {
      inQuotes = !inQuotes;
    } else if (c == ',' && !inQuotes) {
      columns.emplace_back();
    } else {
      columns.back() += c;
    }
  }
  for (std::string& column : columns) column = std::string(trim(column));
  return columns;
}

}  // namespace

TokenFile::TokenFile(const std::string& path, std::vector<std::string> own) : own_(std::move(own)) {
  auto text = readFile(path);
  if (!text.ok()) log::error("Cannot read the file of static tokens", {{"err", text.error().message()}});
  if (!text.ok()) return;
  for (std::string_view line : splitNonEmpty(*text, '\n')) {
    line = trim(line);
    if (line.empty() || line.front() == '#') continue;
    auto columns = parseCsv(line);
    if (columns.size() < 3 || columns[0].empty()) continue;
    UserInfo user;
    user.name = columns[1];
    user.uid = columns[2];
    if (columns.size() > 3)
      for (std::string_view group : splitNonEmpty(columns[3], ',')) user.groups.emplace_back(trim(group));
    users_.emplace(columns[0], std::move(user));
  }
}

TokenAnswer TokenFile::authenticate(const std::string& token, const std::vector<std::string>& audiences) {
  std::optional<TokenIdentity> none;
  auto found = users_.find(token);
  if (found == users_.end()) return none;
  TokenIdentity identity{found->second, commonAudiences(audiences, own_)};
  if (identity.audiences.empty()) return none;
  return std::optional(std::move(identity));
}

}  // namespace skiff::apiserver

// kubectl get: tables as the server prints them, objects in the forms of -o, and both watched.
#include <algorithm>
#include <cstdio>

#include "base/strings.h"
#include "codec/json.h"
#include "ctl/commands.h"

namespace skiff::ctl {
namespace {

using codec::Value;

const std::string kTableAccept =
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
constexpr milliseconds kWatchPiece{3600000};

struct GetOptions {
  std::string output, selector, fieldSelector, sortBy;
  std::vector<std::string> files, labelColumns;
  bool allNamespaces = false, watch = false, watchOnly = false, noHeaders = false, showLabels = false;
  bool showKind = false, ignoreNotFound = false, recursive = false;
  int chunkSize = 500;
};

class TablePrinter {
 public:
  TablePrinter(const GetOptions& options, bool withKind) : options_(options), withKind_(withKind) {}

  // Column definitions come with the first table of a resource.
  void add(const Target& target, const Value& table) {
    const auto& columns = table["columnDefinitions"];
    if (!columns.empty()) {
      shown_.clear();
      std::vector<std::string> header;
      if (options_.allNamespaces && target.resource.namespaced) header.push_back("NAMESPACE");
      for (size_t i = 0; i < columns.size(); ++i) {
        const auto& column = columns.at(i);
        if (column["priority"].asInt() > 0 && options_.output != "wide") continue;
        shown_.push_back(i);
        header.push_back(upper(column["name"].asString()));
      }
      for (const auto& label : options_.labelColumns) header.push_back(upper(label.substr(label.rfind('/') + 1)));
      if (options_.showLabels) header.push_back("LABELS");
      if (!options_.noHeaders && !headerDone_) rows_.push_back(header);
      headerDone_ = true;
    }
    for (const auto& row : table["rows"].items()) addRow(target, row);
  }

  bool empty() const { return rows_.size() <= (options_.noHeaders ? 0u : 1u); }
  void flush() {
    std::fputs(alignColumns(rows_).c_str(), stdout);
    std::fflush(stdout);
    rows_.clear();
  }

 private:
  static std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out)
      if (c >= 'a' && c <= 'z') c = char(c - 32);
    return out;
  }
  static std::string cellText(const Value& cell) {
    if (cell.isString()) return replaceAll(cell.asString(), "\n", "\\n");
    if (cell.isNull()) return "<none>";
    return codec::toJson(cell);
  }
  void addRow(const Target& target, const Value& row) {
    const auto& meta = row["object"]["metadata"];
    std::vector<std::string> cells;
    if (options_.allNamespaces && target.resource.namespaced) cells.push_back(meta["namespace"].str());
    for (size_t i : shown_) {
      auto text = cellText(row["cells"].at(i));
      bool isName = i == 0 && withKind_;
      cells.push_back(isName ? target.resource.display(text) : text);
    }
    for (const auto& label : options_.labelColumns) cells.push_back(meta["labels"][label].str());
    if (options_.showLabels) {
      std::vector<std::string> labels;
      for (const auto& label : meta["labels"].members())
        labels.push_back(concat(label.key, "=", label.value.asString()));
      cells.push_back(labels.empty() ? "<none>" : join(labels, ","));
    }
    rows_.push_back(std::move(cells));
  }

  const GetOptions& options_;
  bool withKind_, headerDone_ = false;
  std::vector<size_t> shown_;
  std::vector<std::vector<std::string>> rows_;
};

Query queryOf(const GetOptions& options, const Target& target) {
  Query query;
  if (!options.selector.empty()) query.emplace_back("labelSelector", options.selector);
  if (!options.fieldSelector.empty()) query.emplace_back("fieldSelector", options.fieldSelector);
  if (target.name.empty() && options.chunkSize > 0) query.emplace_back("limit", std::to_string(options.chunkSize));
  return query;
}

// All chunks of a list in one document; for a name the object itself.
Result<DocumentPtr> fetch(Session& session, const Target& target, const GetOptions& options, const std::string& accept) {
  auto query = queryOf(options, target);
  auto path = target.resource.path(target.ns, target.name);
  auto first = TRY(session.get(path, query, accept));
  const char* list = accept.empty() ? "items" : "rows";
  std::string next = first->root["metadata"]["continue"].str();
  while (!next.empty()) {
    auto more = query;
    more.emplace_back("continue", next);
    auto chunk = TRY(session.get(path, more, accept));
    auto& into = first->root.child(first->arena, list);
    for (const auto& item : chunk->root[list].items()) into.push(first->arena, item.clone(first->arena));
    next = chunk->root["metadata"]["continue"].str();
  }
  return first;
}

Status watchTarget(Session& session, const Target& target, const GetOptions& options, TablePrinter& printer,
                   const std::string& from) {
  auto query = queryOf(options, target);
  if (!target.name.empty()) query.emplace_back("fieldSelector", concat("metadata.name=", target.name));
  query.emplace_back("watch", "true");
  query.emplace_back("resourceVersion", from);
  bool table = !isObjectOutput(options.output);
  auto stream = TRY(session.transport().stream({.method = "GET", .path = target.resource.path(target.ns),
                                                .query = query, .accept = table ? kTableAccept : ""}));
  std::string buffer;
  for (;;) {
    auto piece = TRY(stream->next(kWatchPiece));
    if (piece.empty()) return okStatus();
    buffer += piece;
    for (size_t end; (end = buffer.find('\n')) != std::string::npos; buffer.erase(0, end + 1)) {
      auto event = TRY(codec::parseJsonDocument(std::string_view(buffer).substr(0, end)));
      const auto& object = event->root["object"];
      if (event->root["type"].asString() == "ERROR") return client::errorFromStatus(object, 0);
      if (table) {
        printer.add(target, object);
        printer.flush();
      } else {
        auto text = TRY(printObject(object, options.output));
        std::fputs(text.c_str(), stdout);
        std::fflush(stdout);
      }
    }
  }
}

std::string ageFreeKey(const Value& row) { return row["object"]["metadata"]["creationTimestamp"].str(); }

void sortRows(Value& table, const std::string& by) {
  if (by.empty()) return;
  auto rows = table.find("rows");
  if (!rows) return;
  auto items = rows->items();
  bool byTime = by.find("creationTimestamp") != std::string::npos;
  std::stable_sort(items.begin(), items.end(), [&](const Value& a, const Value& b) {
    return byTime ? ageFreeKey(a) < ageFreeKey(b)
                  : a["object"]["metadata"]["name"].asString() < b["object"]["metadata"]["name"].asString();
  });
}

Status getTables(Session& session, const std::vector<Target>& targets, const GetOptions& options) {
  bool severalKinds = std::any_of(targets.begin(), targets.end(), [&](const Target& t) {
    return t.resource.plural != targets.front().resource.plural;
  });
  bool printedBefore = false;
  std::string version;
  Status failed = okStatus();
  std::unique_ptr<TablePrinter> printer;
  const ApiResource* last = nullptr;
  auto flush = [&] {
    if (!printer || printer->empty()) return;
    if (printedBefore) std::fputs("\n", stdout);
    printer->flush();
    printedBefore = true;
  };
  for (const auto& target : targets) {
    if (!last || last->plural != target.resource.plural) {
      flush();
      printer = std::make_unique<TablePrinter>(options, severalKinds || options.showKind);
      last = &target.resource;
    }
    auto table = fetch(session, target, options, kTableAccept);
    if (!table.ok()) {
      if (options.ignoreNotFound && table.failedWith(Reason::NotFound)) continue;
      if (!failed.ok()) printError(failed.error());
      failed = std::move(table).error();
      continue;
    }
    sortRows((*table)->root, options.sortBy);
    version = (*table)->root["metadata"]["resourceVersion"].str();
    printer->add(target, (*table)->root);
  }
  flush();
  if (!failed.ok()) return failed;
  if ((options.watch || options.watchOnly) && targets.size() == 1)
    return watchTarget(session, targets.front(), options, *printer, version);
  if (!printedBefore && !options.ignoreNotFound && !options.watch) {
    bool namespaced = !targets.empty() && targets.front().resource.namespaced;
    if (namespaced && !options.allNamespaces) {
      std::fprintf(stderr, "No resources found in %s namespace.\n", session.ns().c_str());
    } else {
      std::fprintf(stderr, "No resources found\n");
    }
  }
  return okStatus();
}

Status getObjects(Session& session, const std::vector<Target>& targets, const GetOptions& options) {
  DocumentPtr single;
  auto list = std::make_shared<codec::Document>();
  auto& arena = list->arena;
  list->root.set(arena, "apiVersion", Value::string("v1"));
  auto& items = list->root.set(arena, "items", Value::list());
  for (const auto& target : targets) {
    auto got = fetch(session, target, options, "");
    if (!got.ok()) {
      if (options.ignoreNotFound && got.failedWith(Reason::NotFound)) continue;
      return std::move(got).error();
    }
    const auto& root = (*got)->root;
    if (!target.name.empty()) {
      single = *got;
      items.push(arena, root.clone(arena));
      continue;
    }
    auto kind = root["kind"].str();
    if (kind.ends_with("List")) kind.resize(kind.size() - 4);
    for (const auto& item : root["items"].items()) {
      Value own;
      own.set(arena, "apiVersion", Value::text(arena, root["apiVersion"].asString()));
      own.set(arena, "kind", Value::text(arena, kind));
      for (const auto& member : item.members()) own.set(arena, member.key, member.value.clone(arena));
      items.push(arena, own);
    }
  }
  list->root.set(arena, "kind", Value::string("List"));
  list->root.child(arena, "metadata").set(arena, "resourceVersion", Value::string(""));
  bool one = targets.size() == 1 && !targets.front().name.empty();
  if (one && !single) return okStatus();  // not found, and that was fine
  auto& shown = one ? single->root : list->root;
  if (options.output == "json" || options.output == "yaml") {
    auto strip = [](Value& object) {
      if (auto* meta = object.find("metadata")) meta->erase("managedFields");
    };
    strip(shown);
    if (auto* all = shown.find("items"))
      for (auto& item : all->items()) strip(item);
  }
  auto text = TRY(printObject(shown, options.output));
  std::fputs(text.c_str(), stdout);
  return okStatus();
}

}  // namespace

int runGet(const Args& args) {
  GetOptions options;
  std::string raw;
  Flags flags;
  Session session(flags);
  flags.text("output", &options.output, "json|yaml|name|wide|jsonpath=...|custom-columns=...", 'o')
      .text("selector", &options.selector, "label selector", 'l')
      .text("field-selector", &options.fieldSelector, "field selector")
      .text("sort-by", &options.sortBy, "sort by a field: metadata.name or metadata.creationTimestamp")
      .text("raw", &raw, "print what the server answers at this path")
      .array("filename", &options.files, "manifests that name the objects", 'f')
      .list("label-columns", &options.labelColumns, "labels to show as columns", 'L')
      .boolean("all-namespaces", &options.allNamespaces, "in all namespaces", 'A')
      .boolean("watch", &options.watch, "go on with changes", 'w')
      .boolean("watch-only", &options.watchOnly, "changes only")
      .boolean("no-headers", &options.noHeaders, "no header line")
      .boolean("show-labels", &options.showLabels, "labels as last column")
      .boolean("show-kind", &options.showKind, "kind before the name")
      .boolean("ignore-not-found", &options.ignoreNotFound, "missing objects are no error")
      .boolean("recursive", &options.recursive, "directories of -f with their subdirectories", 'R')
      .integer("chunk-size", &options.chunkSize, "objects a request");
  auto rest = flags.parse(args);
  if (!rest.ok()) return printError(rest.error());
  if (auto connected = session.connect(); !connected.ok()) return printError(connected.error());
  if (!raw.empty()) {
    auto path = cut(raw, "?");
    auto text = session.text(path ? std::string(path->first) : raw, path ? net::parseQuery(path->second) : Query{});
    if (!text.ok()) return printError(text.error());
    return std::fputs(text->c_str(), stdout), 0;
  }
  Result<std::vector<Target>> targets = std::vector<Target>{};
  if (options.files.empty()) {
    targets = targetsOf(session, *rest);
  } else {
    auto manifests = readManifests(options.files, options.recursive);
    if (!manifests.ok()) return printError(manifests.error());
    targets = targetsOfManifests(session, *manifests);
  }
  if (!targets.ok()) return printError(targets.error());
  if (options.allNamespaces)
    for (auto& target : *targets) target.ns.clear();
  auto status = isObjectOutput(options.output) ? getObjects(session, *targets, options)
                                               : getTables(session, *targets, options);
  return status.ok() ? 0 : printError(status.error());
}

}  // namespace skiff::ctl

#include "kubelet/server.h"

#include "base/log.h"
#include "base/strings.h"
#include "codec/json.h"
#include "kubelet/stats.h"
#include "kubelet/streaming.h"

namespace skiff::kubelet {
namespace {

constexpr size_t kMaxPending = 1024 * 1024;  // bytes of a log that a slow reader has not taken yet

void respondText(net::ResponseWriter& writer, int status, std::string body, std::string_view type = "text/plain; charset=utf-8") {
  net::Response response;
  response.status = status;
  response.headers.set("content-type", type);
  response.body.emplace_back(std::move(body));
  writer.respond(std::move(response));
}

std::string valueOf(const std::vector<std::pair<std::string, std::string>>& query, std::string_view name) {
  for (const auto& [key, value] : query)
    if (key == name) return value;
  return {};
}

bool isTrue(const std::vector<std::pair<std::string, std::string>>& query, std::string_view name) {
  std::string value = valueOf(query, name);
  return value == "1" || value == "true" || value == "True";
}

Result<LogOptions> logOptions(const std::vector<std::pair<std::string, std::string>>& query, WallTime now) {
  LogOptions out;
  out.follow = isTrue(query, "follow");
  out.timestamps = isTrue(query, "timestamps");
  for (auto [name, into] : {std::pair{"tailLines", &out.tailLines}, std::pair{"limitBytes", &out.limitBytes}}) {
    std::string text = valueOf(query, name);
    if (text.empty()) continue;
    *into = parseInt(text);
    if (!*into || **into < 0) return badRequest(concat(name, " is no positive number: ", text));
  }
  if (std::string text = valueOf(query, "sinceSeconds"); !text.empty()) {
    auto since = parseInt(text);
    if (!since || *since < 1) return badRequest(concat("sinceSeconds is no positive number: ", text));
    out.since = now - seconds(*since);
  }
  if (std::string text = valueOf(query, "sinceTime"); !text.empty()) {
    out.since = parseRfc3339(text);
    if (!out.since) return badRequest(concat("sinceTime is no time: ", text));
  }
  std::string stream = toLower(valueOf(query, "stream"));
  if (stream == "stdout" || stream == "stderr") out.stream = stream;
  return out;
}

}  // namespace

KubeletServer::KubeletServer(Deps deps)
    : d_(deps), auth_(deps.api, deps.config.options.nodeName, deps.config.options.clientCaPem, *deps.config.clock) {}

Status KubeletServer::start() {
  const auto& options = d_.config.options;
  net::ServerOptions server;
  server.port = uint16_t(options.port);
  if (options.servingCertPem.empty()) return badRequest("the kubelet's port needs a serving certificate");
  net::TlsContext::Server tls;
  tls.keyPair = {options.servingCertPem, options.servingKeyPem};
  tls.clientCaPem = options.clientCaPem;
  tls.alpn = {"http/1.1"};  // upgrades need it, and the API server speaks it
  server.tls = TRY(net::TlsContext::server(tls));
  // Followed logs hold a thread each for as long as they are followed.
  executor_ = rt::Executor::create({.name = "kubelet-http", .maxThreads = 256});
  server_ = TRY(net::Server::start(server, *this));
  return okStatus();
}

void KubeletServer::stop() {
  stop_.raise();
  if (server_) server_->stop(milliseconds(500));
  if (executor_) executor_->stop();
}

void KubeletServer::handle(RequestPtr request, WriterPtr writer) {
  auto task = [this, request, writer] {
    auto done = auth_.check(*request);
    if (done.ok()) done = serve(request, writer);
    if (!done.ok()) respondText(*writer, done.error().code(), done.error().message() + "\n");
  };
  if (!executor_->submit(task)) respondText(*writer, 503, "too many requests\n");
}

Status KubeletServer::serve(const RequestPtr& request, const WriterPtr& writer) {
  auto path = splitNonEmpty(request->path, '/');
  auto query = net::parseQuery(request->query);
  std::string_view first = path.empty() ? std::string_view() : path[0];
  if (first == "healthz") {
    respondText(*writer, 200, "ok");
  } else if (first == "pods") {
    respondText(*writer, 200, podsJson(), "application/json");
  } else if (first == "stats") {
    respondText(*writer, 200, TRY(statsSummaryJson(d_.config, d_.cri, d_.workers)), "application/json");
  } else if (first == "metrics") {
    respondText(*writer, 200, TRY(resourceMetrics(d_.config, d_.cri, d_.workers)), "text/plain; version=0.0.4");
  } else if (first == "containerLogs" && path.size() == 4) {
    return serveLogs(request, path, query, writer);
  } else if ((first == "exec" || first == "attach") && (path.size() == 4 || path.size() == 5)) {
    return serveExec(request, path, query, writer, first == "attach");
  } else if (first == "portForward" && (path.size() == 3 || path.size() == 4)) {
    return serveForward(request, path, writer);
  } else if (first == "run" && (path.size() == 4 || path.size() == 5)) {
    return serveRun(path, query, writer);
  } else {
    return Error(Reason::NotFound, "404 page not found");
  }
  return okStatus();
}

std::string KubeletServer::podsJson() const {
  std::string out = R"({"kind":"PodList","apiVersion":"v1","metadata":{},"items":[)";
  bool first = true;
  for (const auto& view : d_.workers.all()) {
    Pod pod = *view.pod;
    if (!view.status.phase.empty()) pod.status = view.status;
    if (!first) out += ',';
    first = false;
    out += api::toJson(pod);
  }
  return out + "]}";
}

Result<RuntimeContainer> KubeletServer::runningContainer(std::string_view ns, std::string_view pod, std::string_view name) {
  auto view = d_.workers.find(ns, pod);
  if (!view) return Error(Reason::NotFound, concat("pod does not exist: ", ns, "/", pod));
  const RuntimeContainer* c = view->runtime ? view->runtime->latest(name) : nullptr;
  if (c == nullptr || !c->running())
    return Error(Reason::NotFound, concat("container not found (", quoted(name), ")"));
  return *c;
}

Status KubeletServer::serveLogs(const RequestPtr& request, const std::vector<std::string_view>& path,
                                const Parameters& query, const WriterPtr& writer) {
  std::string_view ns = path[1], podName = path[2], name = path[3];
  auto view = d_.workers.find(ns, podName);
  if (!view) return Error(Reason::NotFound, concat("pod ", quoted(podName), " not found"));
  Container holder;
  if (findContainer(*view->pod, name, &holder) == nullptr)
    return Error(Reason::NotFound, concat("container ", quoted(name), " not found in pod ", quoted(podName)));
  bool previous = isTrue(query, "previous");
  LogOptions options = TRY(logOptions(query, d_.config.clock->now()));
  const RuntimeContainer* c = !view->runtime ? nullptr : previous ? view->runtime->previous(name) : view->runtime->latest(name);
  if (c == nullptr && previous)
    return badRequest(concat("previous terminated container ", quoted(name), " in pod ", quoted(podName), " not found"));
  if (c == nullptr || c->state == cri::ContainerState::Created) {
    std::string why = "ContainerCreating";
    for (const auto* list : {&view->status.initContainerStatuses, &view->status.containerStatuses})
      for (const auto& s : *list)
        if (s.name == name && s.state.waiting) why = s.state.waiting->reason;
    bool image = why.find("Image") != std::string::npos;
    return badRequest(concat("container ", quoted(name), " in pod ", quoted(podName), " is waiting to start: ",
                             image ? "trying and failing to pull image" : why));
  }
  const std::string id = c->id;
  const std::string file = concat(podLogDir(d_.config, *view->pod), "/", name, "/", c->attempt, ".log");
  const std::string uid = view->pod->metadata.uid;
  auto running = [this, uid, id] {
    auto now = d_.workers.findByUid(uid);
    const RuntimeContainer* latest = now && now->runtime ? now->runtime->byId(id) : nullptr;
    return latest != nullptr && latest->running();
  };
  if (isWebSocket(*request)) {
    return serveMessages(request, writer, [this, file, options, running](const MessageSink& send) {
      auto done = streamLog(file, options, [&](std::string piece) { return !stop_.raised() && send(std::move(piece)); }, running);
      if (!done.ok()) log::warn("Could not stream a log", {{"path", file}, {"err", done.error().message()}});
    });
  }
  net::Headers headers;
  headers.set("content-type", "text/plain");
  bool begun = false;
  auto sink = [&](std::string piece) {
    if (!begun) writer->begin(200, headers);
    begun = true;
    if (writer->closed() || stop_.raised()) return false;
    if (!piece.empty()) writer->write(SharedBytes(std::move(piece)));
    while (writer->pendingBytes() > kMaxPending && !writer->closed())
      if (stop_.waitFor(milliseconds(10))) return false;
    return true;
  };
  auto done = streamLog(file, options, sink, running);
  if (!begun && !done.ok()) return done;
  if (!begun) writer->begin(200, headers);
  writer->finish();
  return okStatus();
}

Status KubeletServer::serveExec(const RequestPtr& request, const std::vector<std::string_view>& path, const Parameters& query,
                                const WriterPtr& writer, bool attach) {
  RuntimeContainer c = TRY(runningContainer(path[1], path[2], path.back()));
  RemoteCommand command;
  // The API server may pass on kubectl's names or the kubelet's own.
  command.stdin_ = isTrue(query, "input") || isTrue(query, "stdin");
  command.stdout_ = isTrue(query, "output") || isTrue(query, "stdout");
  command.stderr_ = isTrue(query, "error") || isTrue(query, "stderr");
  command.tty = isTrue(query, "tty");
  if (!command.stdin_ && !command.stdout_ && !command.stderr_)
    return badRequest("you must specify at least 1 of stdin, stdout, stderr");
  if (!wantsUpgrade(*request)) return badRequest("you must request an upgrade of the connection");
  std::string url;
  if (attach) {
    cri::AttachRequest ask;
    ask.containerId = c.id;
    ask.stdin_ = command.stdin_;
    ask.stdout_ = command.stdout_;
    ask.stderr_ = command.stderr_ && !command.tty;
    ask.tty = command.tty;
    url = TRY(d_.cri.attachUrl(ask));
  } else {
    cri::ExecRequest ask;
    ask.containerId = c.id;
    for (const auto& [key, value] : query)
      if (key == "command") ask.cmd.push_back(value);
    if (ask.cmd.empty()) return badRequest("you must specify a command");
    ask.stdin_ = command.stdin_;
    ask.stdout_ = command.stdout_;
    ask.stderr_ = command.stderr_ && !command.tty;
    ask.tty = command.tty;
    url = TRY(d_.cri.execUrl(ask));
  }
  return serveRemoteCommand(request, writer, url, command);
}

Status KubeletServer::serveForward(const RequestPtr& request, const std::vector<std::string_view>& path, const WriterPtr& writer) {
  auto view = d_.workers.find(path[1], path[2]);
  const RuntimeSandbox* sandbox = view && view->runtime ? view->runtime->readySandbox() : nullptr;
  if (sandbox == nullptr) return Error(Reason::NotFound, concat("pod does not exist or is not running: ", path[1], "/", path[2]));
  if (!wantsUpgrade(*request)) return badRequest("you must request an upgrade of the connection");
  cri::PortForwardRequest ask;
  ask.podSandboxId = sandbox->id;
  for (const auto& [key, value] : net::parseQuery(request->query))
    if (key == "port" || key == "ports")
      if (auto port = parseInt(value)) ask.port.push_back(int32_t(*port));
  return servePortForward(request, writer, TRY(d_.cri.portForwardUrl(ask)));
}

Status KubeletServer::serveRun(const std::vector<std::string_view>& path, const Parameters& query, const WriterPtr& writer) {
  RuntimeContainer c = TRY(runningContainer(path[1], path[2], path.back()));
  std::string text = valueOf(query, "cmd");
  std::vector<std::string> command;
  for (std::string_view word : splitNonEmpty(text, ' ')) command.emplace_back(word);
  auto done = TRY(d_.cri.execSync(c.id, command, seconds(120)));
  respondText(*writer, done.exitCode == 0 ? 200 : 500, done.stdout_ + done.stderr_);
  return okStatus();
}

}  // namespace skiff::kubelet

// One function a command; ctl.cc lists them.
#pragma once
#include "ctl/session.h"

namespace skiff::ctl {

int runGet(const Args& args);
int runCreate(const Args& args);
int runApply(const Args& args);
int runDelete(const Args& args);
int runDescribe(const Args& args);
int runLogs(const Args& args);
int runExec(const Args& args);
int runScale(const Args& args);
int runRollout(const Args& args);
int runWait(const Args& args);
int runPortForward(const Args& args);
int runApiResources(const Args& args);
int runApiVersions(const Args& args);
int runExplain(const Args& args);
int runVersion(const Args& args);
int runLabel(const Args& args);
int runAnnotate(const Args& args);
int runPatch(const Args& args);
int runClusterInfo(const Args& args);

}  // namespace skiff::ctl

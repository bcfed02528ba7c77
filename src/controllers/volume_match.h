// Which volume suits a claim.
#pragma once
#include <memory>
#include <vector>

#include "gen/core_v1.h"

namespace skiff::controllers {

using api::core::v1::PersistentVolume;
using api::core::v1::PersistentVolumeClaim;
using VolumePtr = std::shared_ptr<const PersistentVolume>;

bool isClaimedBy(const PersistentVolume& volume, const PersistentVolumeClaim& claim);
// Class, mode, access modes, size and labels suit.
bool suits(const PersistentVolume& volume, const PersistentVolumeClaim& claim);
// A volume reserved for the claim, else the smallest free one that suits; null when there is none.
VolumePtr findVolume(const std::vector<VolumePtr>& volumes, const PersistentVolumeClaim& claim);

}  // namespace skiff::controllers

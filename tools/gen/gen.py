#!/usr/bin/python3
"""Turns schema/*.proto (as protoc's descriptor set) into constant tables and plain structs.

    gen.py DESCRIPTOR_SET OPTIONS_DIR OUT_DIR

For each schema file X: OUT/tables_X.cc (TypeInfo, ResourceInfo; see src/api/schema.h). If its group is `typed` also
OUT/X.h (structs) and OUT/bind_X.cc (Bindings; see src/api/typed.h). OUT/registry.cc lists all group versions,
OUT/descriptions.cc holds the comments above messages and fields: what OpenAPI and `explain` say of them.
OPTIONS_DIR holds skiff_pb2.py, made by protoc from schema/skiff.proto.
"""
import hashlib
import json
import os
import sys

sys.path.insert(0, sys.argv[2])
import skiff_pb2 as opt  # noqa: E402
from google.protobuf import descriptor_pb2  # noqa: E402

F = descriptor_pb2.FieldDescriptorProto
MESSAGES = descriptor_pb2.FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER  # steps of a path in SourceCodeInfo
FIELDS = descriptor_pb2.DescriptorProto.FIELD_FIELD_NUMBER
PLAIN = {F.TYPE_BOOL: "Bool", F.TYPE_INT32: "Int32", F.TYPE_UINT32: "Int32", F.TYPE_INT64: "Int64",
         F.TYPE_DOUBLE: "Double", F.TYPE_FLOAT: "Double", F.TYPE_STRING: "String", F.TYPE_BYTES: "Bytes"}
SCALAR_KIND = {"JSON": "Json", "JSONSchemaPropsOrArray": "JsonSchemaOrArray",
               "JSONSchemaPropsOrBool": "JsonSchemaOrBool",
               "JSONSchemaPropsOrStringArray": "JsonSchemaOrStringArray"}
CPP = {"Bool": "bool", "Int32": "int32_t", "Int64": "int64_t", "Double": "double", "String": "std::string",
       "Bytes": "std::string", "Time": "Time", "MicroTime": "MicroTime", "Duration": "Duration",
       "Quantity": "Quantity", "IntOrString": "IntOrString", "RawExtension": "RawJson", "FieldsV1": "RawJson",
       "Json": "RawJson", "JsonSchemaOrArray": "RawJson", "JsonSchemaOrBool": "RawJson",
       "JsonSchemaOrStringArray": "RawJson"}
KEYWORDS = {"namespace", "template", "operator", "default", "continue", "protected", "export", "static", "delete",
            "enum", "not", "int", "bool", "long", "register", "signed", "new", "class", "private", "public", "and",
            "or", "switch", "union", "auto", "this", "true", "false", "if", "else", "for", "do"}
ORDINARY_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def q(text):
    return json.dumps(text, ensure_ascii=True)


def cpp_name(name):
    return name + "_" if name in KEYWORDS else name


class Descriptions:
    """The pool of texts that tables refer to by offset; each distinct text stands there once. 0 is no text."""

    def __init__(self):
        self.offsets, self.size = {"": 0}, 1  # texts in the order of their offsets

    def offset(self, text):
        if text not in self.offsets:
            self.offsets[text] = self.size
            self.size += len(text) + 1
        return self.offsets[text]

    def source(self, fingerprint):
        literals = "\n    ".join(q(text)[:-1] + '\\0"' for text in self.offsets)
        return ("namespace skiff::api {\nextern const char kDescriptions[];\n"
                f"const char kDescriptions[] =\n    {literals};\nextern const char kSchemaFingerprint[];\n"
                f"const char kSchemaFingerprint[] = {q(fingerprint)};\n}}  // namespace skiff::api\n")


class Schema:
    def __init__(self, path):
        self.descriptions = Descriptions()
        descriptors = descriptor_pb2.FileDescriptorSet()
        with open(path, "rb") as f:
            content = f.read()
        self.fingerprint = hashlib.sha256(content).hexdigest()
        descriptors.ParseFromString(content)
        self.files = [File(self, f) for f in descriptors.file if f.package.startswith("skiff.api.")]
        self.messages = {m.full: m for f in self.files for m in f.messages}
        self.scalars = {}
        for f in descriptors.file:
            for m in f.message_type:
                scalar = m.options.Extensions[opt.scalar]
                if scalar:
                    self.scalars[f".{f.package}.{m.name}"] = SCALAR_KIND.get(scalar, scalar)
        for f in self.files:
            for m in f.messages:
                m.resolve()


class File:
    def __init__(self, schema, proto):
        self.schema, self.proto = schema, proto
        self.id = proto.name.removesuffix(".proto")
        self.package = proto.package.removeprefix("skiff.api.").replace(".", "/")
        self.group = proto.options.Extensions[opt.group]
        self.cpp_namespace = "skiff::" + proto.package.removeprefix("skiff.").replace(".", "::")
        self.enums = {e.name: e for e in proto.options.Extensions[opt.enum_type]}
        self.comments = {tuple(at.path): " ".join(at.leading_comments.split())
                         for at in proto.source_code_info.location if at.leading_comments}
        self.messages = [Message(self, m, i) for i, m in enumerate(proto.message_type)]

    def description(self, *path):
        """What the comment directly above the element at `path` says."""
        return self.comments.get(path, "")


class Message:
    def __init__(self, file, proto, index):
        self.file, self.proto, self.name, self.index = file, proto, proto.name, index
        self.full = f".{file.proto.package}.{proto.name}"
        self.x = proto.options.Extensions
        self.symbol = f"k_{file.id}_{proto.name}"
        self.cpp = f"{file.cpp_namespace}::{proto.name}"
        self.description = file.description(MESSAGES, index)

    def resolve(self):
        nested = {f".{self.file.proto.package}.{self.name}.{n.name}": n for n in self.proto.nested_type}
        self.own = [Field(self, f, nested, i) for i, f in enumerate(self.proto.field)]
        self._flat = None

    @property
    def flat(self):
        """[(field, group index or 0)] in JSON order, inlined messages flattened."""
        if self._flat is None:
            self._flat, self.groups = [], []
            for f in self.own:
                if f.inline:
                    self.groups.append(f)
                    self._flat += [(sub, len(self.groups)) for sub, _ in f.message.flat]
                else:
                    self._flat.append((f, 0))
        return self._flat


class Field:
    def __init__(self, owner, proto, nested, index):
        self.owner, self.proto = owner, proto
        self.description = owner.file.description(MESSAGES, owner.index, FIELDS, index)
        self.x = x = proto.options.Extensions
        self.json = x[opt.json] or proto.name
        self.inline = x[opt.inline_fields]
        self.number = 0 if x[opt.json_only] else proto.number
        schema = owner.file.schema
        self.cardinality = "Single"
        if proto.label == F.LABEL_REPEATED:
            self.cardinality = "List"
            if proto.type_name in nested:  # map<string, V>
                self.cardinality = "Map"
                proto = nested[proto.type_name].field[1]
        elif proto.proto3_optional:
            self.cardinality = "Optional"
        self.message = None
        if proto.type == F.TYPE_MESSAGE:
            self.kind = schema.scalars.get(proto.type_name, "Message")
            if self.kind == "Message":
                self.message = schema.messages[proto.type_name]
        else:
            self.kind = PLAIN[proto.type]

    def cpp_type(self):
        one = self.message.cpp if self.message else CPP[self.kind]
        if self.cardinality == "List":
            return f"std::vector<{one}>"
        if self.cardinality == "Map":
            return f"std::map<std::string, {one}>"
        if self.cardinality == "Optional":
            return f"Box<{one}>" if self.message else f"std::optional<{one}>"
        return one

    def enum(self):
        """(file, EnumType) or None."""
        name = self.x[opt.enum]
        if not name:
            return None
        file = self.owner.file
        if "." in name and "/" in name:
            package, name = name.rsplit(".", 1)
            file = next(f for f in file.schema.files if f.package == package)
        return (file, file.enums[name]) if name in file.enums else None


def strings(out, name, values):
    """Declares a constant array and gives the span expression for it."""
    if not values:
        return "{}"
    out.append(f"constexpr std::string_view {name}[] = {{{', '.join(q(v) for v in values)}}};")
    return name


def field_row(m, f, group, out, index):
    x = f.x
    row = [f".json = {q(f.json)}", f".kind = FieldKind::{f.kind}", f".cardinality = Cardinality::{f.cardinality}"]
    for flag, name in ((opt.always, "always"), (opt.omitzero, "omitZero"), (opt.required, "required")):
        if x[flag]:
            row.append(f".{name} = true")
    strategies = x[opt.patch_strategy].split(",")
    if "merge" in strategies:
        row.append(".patchMerge = true")
    if "replace" in strategies:
        row.append(".patchReplace = true")
    if "retainKeys" in strategies:
        row.append(".patchReplaceKeys = true")
    if x[opt.defaulted]:
        row.append(".defaultHidden = true")
    if x[opt.map_type] == "atomic" or x[opt.struct_type] == "atomic":
        row.append(".atomicMap = true")
    if "granular" in (x[opt.map_type], x[opt.struct_type]):
        row.append(".granularMap = true")
    if x[opt.list_type]:
        row.append(".listTypeGiven = true")
    if x[opt.union_discriminator]:
        row.append(".unionDiscriminator = true")
    if x[opt.list_type] in ("set", "map"):
        row.append(f".listType = ListType::{x[opt.list_type].capitalize()}")
    if f.number:
        row.append(f".number = {f.number}")
    if f.description:
        row.append(f".description = {{{m.file.schema.descriptions.offset(f.description)}}}")
    if group:
        row.append(f".group = {group}")
    if f.message:
        row.append(f".type = &{f.message.symbol}")
    elif f.kind.startswith("JsonSchemaOr"):
        row.append(f".type = &{m.symbol}")  # the schema that such a field may hold
    e = f.enum()
    if e:
        row.append(f".enumInfo = &k_{e[0].id}_enum_{e[1].name}")
    prefix = f"{m.symbol}_{index}"
    for option, name in ((opt.list_map_key, "listMapKeys"), (opt.rule, "rules")):
        if x[option]:
            row.append((name, f".{name} = {strings(out, prefix + '_' + name, x[option])}"))
    for option, name in ((opt.patch_merge_key, "patchMergeKey"), (opt.default, "defaultJson"),
                         (opt.defaulted, "defaultJson"), (opt.one_of, "oneOf"), (opt.feature_gate, "featureGate")):
        if x[option]:
            row.append((name, f".{name} = {q(x[option])}"))
    # Designated initialisers must come in declaration order.
    order = ["listMapKeys", "patchMergeKey", "defaultJson", "oneOf", "featureGate", "rules"]
    late = sorted((r for r in row if isinstance(r, tuple)), key=lambda r: order.index(r[0]))
    return "{" + ", ".join([r for r in row if isinstance(r, str)] + [text for _, text in late]) + "}"


def type_definition(m, out):
    x, symbol = m.x, m.symbol
    rows = [field_row(m, f, group, out, i) for i, (f, group) in enumerate(m.flat)]
    parts = [f".name = {q(m.name)}", f".package = {q(m.file.package)}", f".group = {q(m.file.group.name)}",
             f".version = {q(m.file.group.version)}", f".protoPackage = {q(m.file.group.proto_package)}"]
    for option, name in ((opt.kind, "isKind"), (opt.wrapper, "isWrapper"), (opt.union, "isUnion")):
        if x[option]:
            parts.append(f".{name} = true")
    if x[opt.message_struct_type] == "atomic":
        parts.append(".atomic = true")
    if m.description:
        parts.append(f".description = {{{m.file.schema.descriptions.offset(m.description)}}}")
    if rows:
        out.append(f"constexpr FieldInfo {symbol}_fields[] = {{\n    " + ",\n    ".join(rows) + "};")
        parts.append(f".fields = {symbol}_fields")
    if m.groups:
        groups = ", ".join(f"{{{g.number}, &{g.message.symbol}}}" for g in m.groups)
        out.append(f"constexpr InlineGroup {symbol}_groups[] = {{{groups}}};")
        parts.append(f".groups = {symbol}_groups")
    wire = [(f.number, i) for i, (f, group) in enumerate(m.flat) if f.number and not group]
    wire += [(g.number, 0x8000 | i) for i, g in enumerate(m.groups)]
    if wire:
        wire = [entry for _, entry in sorted(wire)]
        out.append(f"constexpr uint16_t {symbol}_wire[] = {{{', '.join(map(str, wire))}}};")
        parts.append(f".wireOrder = {symbol}_wire")
    for option, name in ((opt.introduced, "introduced"), (opt.deprecated_in, "deprecatedIn"),
                         (opt.removed_in, "removedIn"), (opt.replacement, "replacement")):
        if x[option]:
            parts.append(f".{name} = {q(x[option])}")
    out.append(f"constinit const TypeInfo {symbol} = {{{', '.join(parts)}}};")


def resource_row(m, r, out, index):
    prefix = f"{m.symbol}_r{index}"
    storage_group, storage_version = m.file.group.name, r.storage_version
    if "/" in storage_version:
        storage_group, storage_version = storage_version.rsplit("/", 1)
    subresources = []
    for i, s in enumerate(r.subresource):
        verbs = strings(out, f"{prefix}_s{i}", s.verb)
        group = s.group or ("" if s.version else m.file.group.name)
        subresources.append(f"{{{q(s.name)}, {q(group)}, {q(s.version or m.file.group.version)}, {q(s.kind)}, {verbs}}}")
    if subresources:
        out.append(f"constexpr SubresourceInfo {prefix}_sub[] = {{{', '.join(subresources)}}};")
    return "{" + ", ".join([
        q(m.file.group.name), q(m.file.group.version), q(m.name), q(r.plural), q(r.singular),
        str(r.namespaced).lower(), str(not r.off_by_default).lower(), q(r.feature_gate), f"&{m.symbol}",
        strings(out, prefix + "_verbs", r.verb or ORDINARY_VERBS), strings(out, prefix + "_short", r.short_name),
        strings(out, prefix + "_cat", r.category), strings(out, prefix + "_sel", r.field_selector),
        q(storage_group), q(storage_version), q(r.storage_version_hash),
        f"{prefix}_sub" if subresources else "{}"]) + "}"


def tables(file):
    foreign_types, foreign_enums = set(), set()
    for m in file.messages:
        for f, _ in m.flat:
            if f.message:
                foreign_types.add(f.message.symbol)
            e = f.enum()
            if e:
                foreign_enums.add(f"k_{e[0].id}_enum_{e[1].name}")
        foreign_types |= {g.message.symbol for g in m.groups} | {m.symbol}
    out = [f"extern const TypeInfo {s};" for s in sorted(foreign_types)]
    out += [f"extern const EnumInfo {s};" for s in sorted(foreign_enums)]
    for e in file.enums.values():
        values = strings(out, f"k_{file.id}_enumv_{e.name}", e.value)
        out.append(f"extern const EnumInfo k_{file.id}_enum_{e.name};")
        out.append(f"constinit const EnumInfo k_{file.id}_enum_{e.name} = {{{q(e.name)}, {str(e.closed).lower()}, {values}}};")
    for m in file.messages:
        type_definition(m, out)
    resources = [resource_row(m, r, out, i) for m in file.messages for i, r in enumerate(m.x[opt.rest])]
    out.append(f"constexpr ResourceInfo k_{file.id}_resources[] = {{\n    " + ",\n    ".join(resources) + "};"
               if resources else "")
    if file.messages:
        out.append(f"constexpr const TypeInfo* k_{file.id}_types[] = {{{', '.join('&' + m.symbol for m in file.messages)}}};")
    g = file.group
    types = f"k_{file.id}_types" if file.messages else "{}"
    out.append(f"extern const GroupVersionInfo k_{file.id};\nconstinit const GroupVersionInfo k_{file.id} = {{{q(g.name)}, "
               f"{q(g.version)}, {g.order}, {g.group_priority}, {g.version_priority}, "
               f"{f'k_{file.id}_resources' if resources else '{}'}, {types}}};")
    return '#include "api/schema.h"\n\nnamespace skiff::api {\n' + "\n".join(out) + "\n}  // namespace skiff::api\n"


def by_value_order(file):
    """Messages such that each stands after those it holds by value (or derives from)."""
    done, order = set(), []

    def visit(m):
        if m.full in done:
            return
        done.add(m.full)
        for f in m.own:
            if f.message and f.message.file is file and (f.inline or f.cardinality == "Single"):
                visit(f.message)
        order.append(m)

    for m in file.messages:
        visit(m)
    return order


def header(file):
    includes = sorted({f.message.file.id for m in file.messages for f in m.own
                       if f.message and f.message.file is not file})
    out = ["#pragma once", '#include "api/scalars.h"', '#include "api/typed.h"']
    out += [f'#include "gen/{i}.h"' for i in includes]
    out += ["", f"namespace {file.cpp_namespace} {{"]
    out += [f"struct {m.name};" for m in file.messages]
    for m in by_value_order(file):
        bases = [f.message.cpp for f in m.own if f.inline]
        out.append(f"struct {m.name}{' : ' + ', '.join(bases) if bases else ''} {{")
        for f in m.own:
            if not f.inline:
                zero = {"Bool": " = false", "Int32": " = 0", "Int64": " = 0", "Double": " = 0"}
                init = zero.get(f.kind, "") if f.cardinality == "Single" else ""
                out.append(f"  {f.cpp_type()} {cpp_name(f.proto.name)}{init};")
        if m.x[opt.kind]:
            out.append(f"  static constexpr std::string_view kGroup = {q(file.group.name)}, "
                       f"kVersion = {q(file.group.version)}, kKind = {q(m.name)};")
        for r in m.x[opt.rest][:1]:
            out.append(f"  static constexpr std::string_view kResource = {q(r.plural)};")
            out.append(f"  static constexpr bool kNamespaced = {str(r.namespaced).lower()};")
        out.append("  static const TypeBinding& binding();")
        out.append("};")
    out.append(f"}}  // namespace {file.cpp_namespace}\n")
    return "\n".join(out)


def bindings(file):
    out = [f'#include "gen/{file.id}.h"', "#include <cstddef>",
           '#pragma GCC diagnostic ignored "-Winvalid-offsetof"', "namespace skiff::api {"]
    out += [f"extern const TypeInfo {m.symbol};" for m in file.messages]
    seen = {m.full: m for m in file.messages}
    for m in file.messages:
        for f, _ in m.flat:
            if f.message:
                seen[f.message.full] = f.message
    out += [f"extern const TypeBinding bind{m.symbol};" for m in seen.values()]
    for m in file.messages:
        rows = [f"{{offsetof({m.cpp}, {cpp_name(f.proto.name)}), {'&bind' + f.message.symbol if f.message else 'nullptr'}}}"
                for f, _ in m.flat]
        fields = "{}"
        if rows:
            out.append(f"const TypeBinding::Field bind{m.symbol}_fields[] = {{{', '.join(rows)}}};")
            fields = f"bind{m.symbol}_fields"
        c = f"Containers<{m.cpp}>"
        out.append(f"const TypeBinding bind{m.symbol} = {{&{m.symbol}, {c}::create, {c}::destroy, {c}::push, {c}::count, "
                   f"{c}::element, {c}::insert, {c}::each, {fields}}};")
    out.append("}  // namespace skiff::api")
    out.append(f"namespace {file.cpp_namespace} {{")
    out += [f"const TypeBinding& {m.name}::binding() {{ return bind{m.symbol}; }}" for m in file.messages]
    out.append(f"}}  // namespace {file.cpp_namespace}\n")
    return "\n".join(out)


def registry(schema):
    def by_priority(f):
        return (f.group.order, -f.group.version_priority, f.id)
    files = sorted(schema.files, key=by_priority)
    out = ['#include "api/schema.h"', "namespace skiff::api {"]
    out += [f"extern const GroupVersionInfo k_{f.id};" for f in files]
    out.append("// Copied at start from constants: spans of constants cannot refer to other files' objects by value.")
    out.append("std::span<const GroupVersionInfo> builtinGroupVersions() {")
    out.append("  static const GroupVersionInfo all[] = {" + ", ".join(f"k_{f.id}" for f in files) + "};")
    out.append("  return all;\n}\n}  // namespace skiff::api\n")
    return "\n".join(out)


def check_descriptions(schema):
    """Stops when a message or a field has no description, or one that is no sentence: nothing else would notice."""
    faults = []
    for file in schema.files:
        for m in file.messages:
            described = [(m.name, m)] + [(f"{m.name}.{f.proto.name}", f) for f in m.own if not f.inline]
            for name, element in described:
                text = element.description
                if not text:
                    faults.append(f"schema/{file.proto.name}: {name} has no comment above it")
                elif text[0].islower() or text[-1] != "." or not text.isascii():
                    faults.append(f"schema/{file.proto.name}: {name}: not a sentence in ASCII: {text}")
    if faults:
        sys.exit("\n".join(faults))


def write(directory, name, text):
    path = os.path.join(directory, name)
    if os.path.exists(path):
        with open(path) as f:
            if f.read() == text:
                return  # unchanged files keep their time: nothing recompiles
    with open(path, "w") as f:
        f.write(text)


def main():
    schema, out = Schema(sys.argv[1]), sys.argv[3]
    check_descriptions(schema)
    for file in schema.files:
        write(out, f"tables_{file.id}.cc", tables(file))
        if file.group.typed:
            write(out, f"{file.id}.h", header(file))
            write(out, f"bind_{file.id}.cc", bindings(file))
    write(out, "registry.cc", registry(schema))
    write(out, "descriptions.cc", schema.descriptions.source(schema.fingerprint))


main()

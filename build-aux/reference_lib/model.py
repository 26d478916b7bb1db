"""The tables, the comments and the signatures put together; raises Gap for whatever is missing or contradicts."""
import re

from . import comments

MANY_WORDS = 40  # an enumeration longer than this is shown as a plain string


class Gap(Exception):
    """Something has no row, no comment or no type; the text says what to add where."""


def literals(words):
    return "|".join(f'"{w}"' for w in words)


def split(text, mark=","):
    """text at marks that are in no bracket."""
    found, depth, last = [], 0, ""
    for c in text:
        depth += (c in "({[<") - (c in ")}]>" and last != "-")
        if c == mark and depth == 0:
            found.append("")
        else:
            if not found:
                found.append("")
            found[-1] += c
        last = c
    return [piece.strip() for piece in found if piece.strip()]


class Parameter:
    def __init__(self, name, type_, optional):
        self.name, self.type, self.optional = name, type_, optional


class Function:
    """A function of the scripts' world. results: types; on: for events; fields: class of the builder's fields, or None."""

    def __init__(self, name, parameters, results, text, on=(), doc=None):
        self.name, self.parameters, self.results, self.text = name, parameters, results, text
        self.on, self.doc, self.kind, self.fields = on, doc, None, None


def read_signatures(path):
    found = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            name, rest = line.split("(", 1)
            depth, end = 1, 0
            while depth:
                depth += (rest[end] in "({[") - (rest[end] in ")}]")
                end += 1
            inner, rest = rest[:end - 1], rest[end:]
            rest, _, on = rest.partition(" on ")
            parameters = []
            for piece in split(inner):
                word, type_ = piece.split(":", 1)
                optional = word.endswith("?")
                parameters.append(Parameter(word.rstrip("?"), type_.strip(), optional))
            found[name] = Function(name, parameters, split(rest.lstrip(": ")), "", on.split())
    return found


def headings(path, pattern):
    """{name: heading} of a .def: which /* ---- heading ---- */ stands above its row."""
    found, heading = {}, ""
    with open(path, encoding="utf-8") as f:
        for line in f:
            if hit := re.match(r"/\* ---- (.*) ---- \*/", line):
                heading = hit.group(1)
            elif hit := re.match(pattern, line):
                found[hit.group(1)] = heading
    return found


class Model:
    def __init__(self, root, rows):
        self.operations = rows["operations"]
        self.kinds = {k["name"]: k for k in rows["kinds"]}
        self.options = rows["options"]
        self.areas = headings(f"{root}/runtime/line/operations.def", r"OP\((\w+)")
        self.chapters = headings(f"{root}/runtime/line/schema.def", r"(?:KIND|UNION)\((\w+)")
        self.answer_chapters = headings(f"{root}/runtime/line/answers.def", r"OBJECT\((\w+)")
        self.docs = comments.read(root)
        self.signatures = read_signatures(f"{root}/build-aux/reference_lib/signatures")
        with open(f"{root}/build-aux/reference_lib/own.lua", encoding="utf-8") as f:
            self.own = f.read()
        with open(f"{root}/build-aux/reference_lib/own_web.lua", encoding="utf-8") as f:
            self.own_web = f.read()
        self.objects = {a["name"]: a for a in rows["answers"] if a["what"] == "object"}
        self.answers = {a["name"]: a["about"] for a in rows["answers"] if a["what"] == "answer"}
        self.types_of = {}  # kind → its values of `type`, by the unions it is in
        for k in self.kinds.values():
            for v in k["variants"]:
                known = self.types_of.setdefault(v["kind"], [])
                if v["type"] not in known:
                    known.append(v["type"])
        self.check_answers()
        self.read_events(rows)
        self.read_functions()

    # ---- what LINE sends ----

    def check_answers(self):
        for o in self.operations:
            if o["name"] not in self.areas:
                raise Gap(f"operations.def: {o['name']} stands below no heading")
            if o["answer"] == "json" and o["name"] not in self.answers:
                raise Gap(f"answers.def: no ANSWER({o['name']}, …)")
        named = {o["name"]: o["answer"] for o in self.operations}
        for name, what in self.answers.items():
            if named.get(name) != "json":
                raise Gap(f"answers.def: ANSWER({name}): there is no such operation with a JSON answer")
            if what not in self.objects:
                raise Gap(f"answers.def: ANSWER({name}): there is no OBJECT({what})")
        for name in self.objects:
            if name in self.kinds:
                raise Gap(f"answers.def: OBJECT({name}): schema.def has a kind of that name")

    def sent_fields(self, text):
        """[(name, required, type)] of a row of answers.def."""
        found = []
        for piece in text.split():
            name, type_ = piece.split(":", 1)
            lists = type_.endswith("[]")
            type_ = type_.removesuffix("[]")
            if type_.startswith("("):
                type_ = literals(type_[1:-1].split("|"))
            elif type_.startswith("<"):
                type_ = self.named(type_[1:-1], self.kinds)
            elif type_ not in ("string", "integer", "number", "boolean", "any"):
                type_ = self.named(type_, self.objects)
            found.append((name.rstrip("?"), not name.endswith("?"), type_ + "[]" * lists))
        return found

    def named(self, name, table):
        if name not in table:
            raise Gap(f"there is no row for '{name}'")
        return f"line.{name}"

    # ---- what a script hands over ----

    def field_type(self, f):
        """The type of a field of schema.def."""
        kind, words = f.get("kind"), (f.get("words") or "").split()
        word = literals(words) if f["rule"] == "words" and 0 < len(words) <= MANY_WORDS else "string"
        if f["type"] == "array":
            return self.named(kind, self.kinds) + "[]" if kind else f"({word})[]" if "|" in word else word + "[]"
        if f["type"] == "map":
            return f"table<string, {self.named(kind, self.kinds)}>"
        if f["type"] == "object":
            return self.named(kind, self.kinds)
        return word if f["type"] == "string" else f["type"]

    def operation_type(self, o, f):
        """The type of a field of an operation."""
        if o["kind"]:
            for known in self.kinds[o["kind"]]["fields"]:
                if known["name"] == f["name"]:
                    return self.field_type(known)
        words = (f.get("words") or "").split("|") if f["type"] != "file" else []
        word = literals(words) if words != [""] and words else "string"
        if f["type"] == "array":
            return f"line.{f['kind']}[]" if f["kind"] else f"({word})[]" if "|" in word else word + "[]"
        if f["type"] == "object":
            return f"line.{f['kind']}" if f["kind"] else "table"
        if f["type"] == "file":
            return "string|line.file"
        return word if f["type"] == "string" else f["type"]

    # ---- events ----

    def read_events(self, rows):
        """self.events: class name → dict of an event or of one of its subtypes, in the order of the rows."""
        self.event_rows = rows["events"]
        beside = {(a["name"], a["about"]): a["fields"] for a in rows["answers"] if a["what"] == "event"}
        self.events = {}
        known = {}
        for e in rows["events"]:
            known[e["type"]] = subtypes = [w for w in e["subtypes"].split("|") if w and w != "*"]
            own = [(e["type"], s) for s in subtypes if (e["type"], s) in beside]
            whole = {"type": e["type"], "subtype": "", "row": e, "fields": self.sent_fields(beside.get((e["type"], ""), "")),
                     "subtypes": subtypes, "parts": [f"{t}.{s}" for t, s in own]}
            self.events[e["type"]] = whole
            gathered = {}
            for key in own:
                fields = self.sent_fields(beside[key])
                self.events[".".join(key)] = {"type": e["type"], "subtype": key[1], "row": e, "fields": whole["fields"] + fields,
                                              "subtypes": [], "parts": []}
                for name, required, type_ in fields:
                    gathered.setdefault(name, []).append(type_)
            whole["fields"] = whole["fields"] + [(n, True, "|".join(t)) for n, t in gathered.items()]
        for type_, subtype in beside:
            if type_ not in known or subtype and subtype not in known[type_]:
                raise Gap(f"answers.def: EVENT_FIELDS({type_}, {subtype}): events.def has no such event")

    def selectors(self, name):
        """Every selector whose events are of this class."""
        e = self.events[name]
        heads = [name] if e["subtype"] else [name] + [f"{name}.{s}" for s in e["subtypes"] if f"{name}.{s}" not in self.events]
        sources = [w for letter, w in (("u", "user"), ("g", "group"), ("r", "room")) if letter in e["row"]["sources"]]
        if len(sources) < 2 and "-" not in e["row"]["sources"]:
            sources = []
        return [head + at for head in heads for at in [""] + ["@" + s for s in sources]]

    def methods(self, name):
        """The methods that make sense for events of a class."""
        e = self.events[name]
        row = e["row"]
        traits = {"all", name, e["type"]} | set(e["parts"]) | {"source:" + s for s in row["sources"] if s in "ugr"}
        there = row["type"] not in ("unfollow", "leave")
        if not there:
            traits -= {"source:u", "source:g", "source:r"}
        if any(s in row["sources"] for s in "ugr") and there:
            traits |= {"chat", "user"}
        if row["type"] == "unfollow":
            traits.add("unfollow")
        if row["reply"] != "NO":
            traits.add("reply")
        return [f for f in self.functions.values() if f.name.startswith("event:") and traits & set(f.on)]

    # ---- functions ----

    def builder(self, doc):
        """The builder of a comment: its parameters are fields of the kind that it makes."""
        words = doc.result.split()
        kind = words[-1] if words else ""
        own = self.signatures.get(doc.name)
        if kind not in self.kinds or self.kinds[kind]["variants"] and not own:
            raise Gap(f"{doc.where}: {doc.name}: '{doc.result}' is no object kind of schema.def")
        fields = list(self.kinds[kind]["fields"])
        if kind == "template_message":  # its fields are the template's, and those beside it in the message
            of = next(v["kind"] for v in self.kinds["template"]["variants"] if v["type"] == doc.name.split(".")[-1])
            fields = [f for f in fields if f["name"] != "template"] + list(self.kinds[of]["fields"])
        types = {f["name"]: self.field_type(f) for f in fields}
        parameters = []
        for name, optional in doc.parameters():
            if own:
                break
            if name == "more":
                parameters.append(Parameter("more", f"line.fields.{doc.name[5:]}", True))
            elif name in types:
                parameters.append(Parameter(name, types[name], optional))
            else:
                raise Gap(f"{doc.where}: {doc.name}: '{name}' is no field of {kind}, and reference_lib/signatures has no line")
        made = own or Function(doc.name, parameters, [f"line.{kind}" + "[]" * doc.result.startswith("list of")], "")
        made.kind = kind
        if any(f"line.fields.{doc.name[5:]}" == p.type for p in made.parameters):
            given = {p.name: p.type for p in made.parameters}
            made.fields = [(f["name"], given.get(f["name"], types[f["name"]]), f["about"]) for f in fields]
            made.fields += [(n, t, "") for n, t in given.items() if n not in types and n not in ("more", "blocks", "...")]
            other = self.signatures.get(f"line.fields.{doc.name[5:]}")
            if other:  # what the builder takes beyond, or in place of, LINE's fields
                widened = {p.name: p.type for p in other.parameters}
                made.fields = [(n, widened.pop(n, t), a) for n, t, a in made.fields]
                made.fields += [(n, t, "") for n, t in widened.items()]
                self.widened.add(other.name)
        return made

    def same_parameters(self, f, doc):
        """A signature has the parameters of the comment; what follows `…` there is among its values."""
        said = ["..." if n == "…" else n for n, _ in doc.parameters()]
        said = said[:said.index("...") + 1] if "..." in said else said
        typed = [p.name for p in f.parameters]
        if said != typed:
            raise Gap(f"{doc.where}: {doc.name} takes {', '.join(said) or 'nothing'}; build-aux/reference_lib/signatures says "
                      f"{', '.join(typed) or 'nothing'}")

    def read_functions(self):
        """self.functions: name → Function, of everything but operations; self.each: iterators over pages."""
        self.functions, self.widened = {}, set()
        for name, doc in self.docs.items():
            if "scripts/line/message/" in doc.where:
                made = self.builder(doc)
            elif name in self.signatures:
                made = self.signatures[name]
            else:
                raise Gap(f"{doc.where}: {name} has a comment and no line in build-aux/reference_lib/signatures")
            if name in self.signatures:
                self.same_parameters(made, doc)
            made.text, made.doc = doc.text, doc
            self.functions[name] = made
        for name in self.signatures:
            if name not in self.functions and name not in self.widened:
                raise Gap(f"build-aux/reference_lib/signatures: {name} has no comment in the sources")
        self.each = {}
        for o in self.operations:
            field = next((f["name"] for f in o["fields"] if f["name"] in ("start", "page") and f["place"] == "query"), None)
            if not field:
                continue
            word = re.sub(r"^(get|list)_", "", o["name"])
            word = re.sub(r"_list$", "", re.sub(r"_ids$", "", word))
            word = re.sub(r"([a-z][a-z])s(?=[^A-Za-z0-9]|$)", r"\1", word)
            self.each[f"line.each_{word}"] = (o, field)

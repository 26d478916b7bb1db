"""The comments that say what a function of the scripts' world takes and does, in the forms that the sources use:

    -- line.sticker(packageId, stickerId[, more]) → sticker_message      (also /* … */; what is behind → is the result)
    -- Sentences, until the comment ends.

    --   content:type()     the media type …                             (a table; further lines are indented deeper)

    /* json.encode(value): text */"""
import glob
import re

NAME = (r"(?:line|store|web|http|json|crypto|log)\.[a-z_][\w.]*|"
        r"(?:event|content|response|handle|timer|request|stream):[a-z_]\w*")
SIGNATURE = re.compile(rf"({NAME})(\([^\"'()]*\)|\{{…\}})")
SOURCES = ("scripts/line/*.lua", "scripts/line/message/*.lua", "scripts/http/*.lua", "scripts/web/*.lua", "bindings/lua_*.c",
           "bindings/request.c")


class Doc:
    """name, args as written with their brackets, result as written or "", text of sentences, where it stands."""

    def __init__(self, name, args, result, text, where):
        self.name, self.args, self.result, self.where = name, args, result, where
        self.text = " ".join(text.split())

    def parameters(self):
        """[(name, optional)], of line.image(url[, preview[, more]])."""
        inner = "menu" if self.args == "{…}" else re.sub(r"\{[^}]*\}", "options", self.args[1:-1])
        found, depth = [], 0
        for piece in re.findall(r"\[|\]|[\w…]+", inner):
            if piece == "[":
                depth += 1
            elif piece == "]":
                depth -= 1
            else:
                found.append((piece, depth > 0))
        return found


def blocks(text, path):
    """Each comment as a list of its lines, without the marks."""
    if path.endswith(".lua"):
        found = []
        for line in text.splitlines():
            stripped = line.lstrip()
            if stripped.startswith("--"):
                found.append(stripped[2:])
            elif found:
                yield found
                found = []
        if found:
            yield found
        return
    for comment in re.findall(r"/\*(.*?)\*/", text, re.S):
        yield [re.sub(r"^\s*\* ?", " ", line) if n else line for n, line in enumerate(comment.splitlines())]


def entries(lines, where):
    n = 0
    while n < len(lines):
        line = lines[n]
        hit = SIGNATURE.match(line.strip())
        indent = len(line) - len(line.lstrip())
        if not hit:
            n += 1
            continue
        rest = line.strip()[hit.end():]
        n += 1
        if indent >= 3:  # a row of a table
            row = re.match(r"\s{2,}(\S.*)", rest)
            if not row:
                continue
            column = indent + hit.end() + 2
            text = [row.group(1)]
            while n < len(lines) and lines[n].strip() and len(lines[n]) - len(lines[n].lstrip()) >= column:
                text.append(lines[n])
                n += 1
            yield Doc(hit.group(1), hit.group(2), "", " ".join(text), where)
            continue
        names = [(hit.group(1), hit.group(2))]
        while (more := re.match(r",\s*", rest)) and (again := SIGNATURE.match(rest[more.end():])):
            names.append((again.group(1), again.group(2)))
            rest = rest[more.end() + again.end():]
        result, text = "", []
        if rest.lstrip().startswith("→"):
            result = rest.lstrip()[1:].strip()
        elif rest.startswith(":"):
            text.append(rest[1:])
        elif rest.strip():
            continue
        while n < len(lines) and not SIGNATURE.match(lines[n].strip()):
            text.append(lines[n])
            n += 1
        for name, args in names:
            yield Doc(name, args, result, " ".join(text), where)


def read(root):
    """{name: Doc} of all functions that have such a comment. Of two the longer one wins."""
    found = {}
    for pattern in SOURCES:
        for path in sorted(glob.glob(f"{root}/{pattern}")):
            with open(path, encoding="utf-8") as f:
                text = f.read()
            where = path[len(root):].lstrip("/")
            for block in blocks(text, path):
                for doc in entries(block, where):
                    if len(doc.text) > len(found.get(doc.name, doc).text) or doc.name not in found:
                        found[doc.name] = doc
    return found

"""The one typed conversation that every dialect is translated to and from.

    parts      what a message is made of: text, images, audio, files, tool calls and results, reasoning, refusals
    request    what a caller asks for
    answer     what a model said, why it stopped, what it used
    events     the same, as it comes in a stream; `fold` makes an answer of them, `unfold` makes them of an answer
    losses     what a target can't express
    seals      signatures of one vendor on their way through another vendor's dialect

Nothing here knows a wire format, does I/O, or imports a dialect.
"""

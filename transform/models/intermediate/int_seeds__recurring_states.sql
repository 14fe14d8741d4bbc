-- What the states of schedules mean, as people wrote it, typed, each row with what is wrong with it.
with lines as (
    {{ seed_rows('recurring_states', ['source', 'label', 'state', 'is_ended']) }}
),

typed as (
    select
        line,
        line_text,
        line_problem,
        lower(source) as source,
        replace(lower(label), ' ', '') as label,
        lower(state) as state,
        try_cast(is_ended as boolean) as is_ended
    from lines
),

judged as (
    select
        line,
        line_text,
        source,
        label,
        state,
        is_ended,
        case
            when line_problem is not null then line_problem
            when not coalesce(source in ('raise', 'crm_plus'), false) then 'The source is neither raise nor crm_plus.'
            when label is null then 'The label is missing.'
            when not coalesce(state in ('active', 'paused', 'failing', 'cancelled', 'completed'), false)
                then 'The state is none of active, paused, failing, cancelled, completed.'
            when is_ended is null then 'is_ended is neither true nor false.'
        end as problem
    from typed
)

select
    * replace (
        coalesce(
            problem,
            {{ seed_row_repeats(
                ['source', 'label'],
                'A row above names the same label.'
            ) }}
        ) as problem
    )
from judged

{#- An instant from a text that an API wrote: ISO 8601 with or without an offset, or localized (month first).

    What has no offset is in the time zone given. What cannot be read is null, and so is the first of January of the year 1,
    which .NET writes where there is none. -#}
{% macro instant_from_text(expression, time_zone) -%}
    {#- .NET puts a narrow blank before AM and PM -#}
    {%- set text = clean_text("translate(" ~ expression ~ ", chr(8239) || chr(160), '  ')") -%}
    {%- set formats = [] -%}
    {%- for day in ['%m/%d/%Y', '%b %d, %Y', '%B %d, %Y', '%A, %B %d, %Y'] -%}
        {%- for time in ['', ' %I:%M:%S %p', ' %I:%M %p', ' %H:%M:%S', ' %H:%M'] -%}
            {%- do formats.append(day ~ time) -%}
        {%- endfor -%}
    {%- endfor -%}
    case
        when regexp_matches({{ text }}, '^(0001-01-01|0?1/0?1/0001)') then null
        when regexp_matches({{ text }}, '(Z|[+-][0-9]{2}:?[0-9]{2})$')
            then try_cast(regexp_replace({{ text }}, '([+-][0-9]{2})([0-9]{2})$', '\1:\2') as timestamptz)
        else
            timezone(
                {{ time_zone }},
                coalesce(try_cast({{ text }} as timestamp), try_strptime({{ text }}, {{ formats }}))
            )
    end
{%- endmacro %}


{#- The day of an instant, in UTC. To cast it asks the calendar of the time zone, which takes ten times as long. -#}
{% macro utc_day(expression) -%}
    case
        when isfinite({{ expression }}) then cast(make_timestamp(epoch_us({{ expression }})) as date)
        else cast({{ expression }} as date)
    end
{%- endmacro %}
